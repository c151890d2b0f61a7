"""The whole linear probe beside scikit-learn's: penalty and scaling chosen over folds, then fitted and tested.

Both choose from the same five penalties, with features standardised and as they are, over five folds. They take turns,
and the fastest of several rounds counts, by the processor's time. scikit-learn is ``LogisticRegressionCV`` with its
default tolerance and one thread, once for each of the two scalings; what it does to choose between them costs nothing.

    OMP_NUM_THREADS=1 python benchmarks/choosing.py [--rounds 3] [--features pixels]

``--features``: ``pixels`` is scikit-learn's handwritten digits as a picture encoder is given them, 16 × 16 in three
alike channels; ``spectrum`` is 2,500 samples of 128 features whose variances span four orders of magnitude.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from probe import spectrum
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from coview.builtin.evaluators.linear_probe import STRENGTHS, LinearProbe
from coview.data.rng import Rng
from coview.evaluate.features import Features, FeatureSplit


def pixels() -> tuple[Tensor, Tensor]:
    """The digits, enlarged."""
    digits = load_digits()
    small_N1HW = torch.from_numpy(digits.images).float()[:, None] / 16
    large_N1HW = torch.nn.functional.interpolate(small_N1HW, size=(16, 16), mode="bilinear")
    return large_N1HW.expand(-1, 3, -1, -1).reshape(len(small_N1HW), -1), torch.from_numpy(digits.target)


def ours(x_ND: Tensor, y_N: Tensor, fitted: int) -> float:
    """The accuracy on what is behind the first ``fitted`` samples."""
    ids_N, held = torch.arange(len(x_ND)), fitted * 9 // 10
    bounds = {"train": slice(held), "validation": slice(held, fitted), "test": slice(fitted, None)}
    splits = {name: FeatureSplit(x_ND[rows], ids_N[rows], y_N[rows]) for name, rows in bounds.items()}
    features = Features(splits, tuple(map(str, range(int(y_N.max()) + 1))), carved=True)  # so that folds judge
    return LinearProbe()(features, Rng(seed=0))[0].value


def peer(x_ND: Tensor, y_N: Tensor, fitted: int) -> float:
    """The same by scikit-learn."""
    x, y = x_ND.numpy(), y_N.numpy()
    best: list[tuple[float, float]] = []
    for each in (True, False):
        scale = StandardScaler(with_std=each).fit(x[:fitted])
        unit = 1.0 if each else float(np.sqrt(scale.transform(x[:fitted]).var(0).mean()))
        cs = [1 / (l2 * fitted * unit**2) for l2 in STRENGTHS]
        model = LogisticRegressionCV(
            Cs=cs, cv=5, l1_ratios=(0,), max_iter=100_000, scoring="accuracy", use_legacy_attributes=False
        )
        model.fit(scale.transform(x[:fitted]), y[:fitted])
        best.append((model.scores_.mean(axis=0).max(), model.score(scale.transform(x[fitted:]), y[fitted:])))
    return max(best)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--features", choices=("pixels", "spectrum"), nargs="*", default=["pixels", "spectrum"])
    args = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    contenders: dict[str, Callable[[Tensor, Tensor, int], float]] = {"coview": ours, "scikit-learn": peer}
    for name in args.features:
        x_ND, y_N = pixels() if name == "pixels" else spectrum(2500, 128, 10)
        order_N = torch.randperm(len(x_ND), generator=torch.Generator().manual_seed(0))
        x_ND, y_N, fitted = x_ND[order_N], y_N[order_N], len(x_ND) * 4 // 5
        seconds: dict[str, list[float]] = {who: [] for who in contenders}
        accuracy: dict[str, float] = {}
        for _ in range(args.rounds):
            for who, run in contenders.items():
                begin = time.process_time()
                accuracy[who] = run(x_ND, y_N, fitted)
                seconds[who].append(time.process_time() - begin)
        print(f"{name}: {fitted} samples of {x_ND.shape[1]} features")
        for who in contenders:
            print(f"  {who:14}{min(seconds[who]):8.2f} s of the processor   accuracy {accuracy[who]:.4f}")


if __name__ == "__main__":
    main()
