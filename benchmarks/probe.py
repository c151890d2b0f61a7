"""The linear probe's solver beside scikit-learn's: seconds, and the objective that each ends at.

Both fit the same features with the same strengths, scikit-learn with its default tolerance and as many iterations as
it wants, and take turns, so that what else the machine does hits both alike. The ratios are of the fastest rounds, as
other work only ever adds time; where it takes the processors away, the processor's time with one thread says most.
The objective is computed here, in fp64, from the weights of either: the mean cross-entropy plus l2 / 2 times the sum of
squared weights. What the solver prepares once counts as a part of its time.

    python benchmarks/probe.py [--samples 50000] [--width 512] [--classes 10] [--rounds 3] [--features spectrum]
        [--l2 1 1e-2] [--without-path] [--double] [--device cpu]

``--features``: ``spectrum`` is correlated features whose variances span four orders of magnitude, ``pixels`` is the
training images of Fashion-MNIST, projected at random to the width. ``--double`` gives scikit-learn float64,
which computes on the CPU whatever the device.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from measuring import now, where
from torch import Tensor

from coview.builtin.evaluators.linear_probe import STRENGTHS
from coview.builtin.evaluators.logistic import LogisticRegression, Weights


def spectrum(samples: int, width: int, classes: int) -> tuple[Tensor, Tensor]:
    """Features as an encoder's, of a decaying spectrum, and classes that overlap."""
    generator = torch.Generator().manual_seed(0)
    mixing_DD = torch.randn(width, width, generator=generator) * torch.logspace(0, -2, width)
    x_ND = torch.randn(samples, width, generator=generator) @ mixing_DD.T
    logits_NC = x_ND @ torch.randn(width, classes, generator=generator) / width**0.5
    noise_NC = torch.randn(samples, classes, generator=generator)
    return x_ND, (logits_NC / logits_NC.std() + noise_NC).argmax(1)


def pixels(samples: int, width: int, classes: int) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST, projected."""
    import coview

    data = coview.load_plugins().build("dataset", "fashion_mnist", supplied={"split": "train"})
    rows = [data[row] for row in range(min(samples, len(data)))]
    x_NP = torch.from_numpy(np.stack([np.asarray(row["image"]).ravel() for row in rows])).float() / 255
    projection_PD = torch.randn(x_NP.shape[1], width, generator=torch.Generator().manual_seed(0))
    return x_NP @ projection_PD, torch.tensor([row.label for row in rows])


def objective(x_ND: Tensor, y_N: Tensor, weights: Weights, l2: float) -> float:
    total = 0.0
    for x_MD, y_M in zip(x_ND.split(8192), y_N.split(8192), strict=True):
        logits_MC = x_MD.double() @ weights.w_DC.double().cpu() + weights.b_C.double().cpu()
        total += float(torch.nn.functional.cross_entropy(logits_MC, y_M, reduction="sum"))
    return total / len(x_ND) + l2 / 2 * float(weights.w_DC.double().square().sum())


def ours(x_ND: Tensor, y_N: Tensor, strengths: Sequence[float]) -> list[Weights]:
    fit = LogisticRegression(x_ND, y_N, int(y_N.max()) + 1)
    found: list[Weights] = []
    for l2 in strengths:
        found.append(fit.fit(l2, start=found[-1] if found else None))
    return found


def peer(x: np.ndarray, y: np.ndarray, strengths: Sequence[float]) -> list[Weights]:
    from sklearn.linear_model import LogisticRegression as Peer

    model, found = Peer(max_iter=100_000, warm_start=True), []
    for l2 in strengths:
        model.set_params(C=1 / (l2 * len(x))).fit(x, y)
        parts = torch.from_numpy(np.array(model.coef_.T)), torch.from_numpy(np.array(model.intercept_))
        found.append(Weights(*parts))
    return found


def compare(name: str, x_ND: Tensor, y_N: Tensor, strengths: Sequence[float], args: argparse.Namespace) -> None:
    x, y = x_ND.numpy().astype(np.float64 if args.double else np.float32), y_N.numpy()
    there_ND, there_N = x_ND.to(args.device), y_N.to(args.device)
    contenders: dict[str, Callable[[], list[Weights]]] = {
        "coview": lambda: ours(there_ND, there_N, strengths),
        "scikit-learn": lambda: peer(x, y, strengths),
    }
    seconds: dict[str, list[float]] = {who: [] for who in contenders}
    processor: dict[str, list[float]] = {who: [] for who in contenders}
    found: dict[str, list[Weights]] = {}
    for _ in range(args.rounds):
        for who, run in contenders.items():
            begin, begin_processor = now(args.device), time.process_time()
            found[who] = run()
            seconds[who].append(now(args.device) - begin)
            processor[who].append(time.process_time() - begin_processor)
    ratio, of_processor = (min(t["scikit-learn"]) / min(t["coview"]) for t in (seconds, processor))
    print(f"\n{name}: coview is {ratio:.2f} times as fast, {of_processor:.2f} times by the processor's time")
    for who in contenders:
        ends = "  ".join(f"{objective(x_ND, y_N, w, l2):.6f}" for w, l2 in zip(found[who], strengths, strict=True))
        took = f"{min(seconds[who]):8.2f} s {min(processor[who]):8.2f} s of the processors"
        print(f"  {who:14}{took}   objective {ends}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("samples", 50_000), ("width", 512), ("classes", 10), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--features", choices=("spectrum", "pixels"), default="spectrum")
    parser.add_argument("--l2", type=float, nargs="*", default=[1.0, 1e-2, 1e-4])
    parser.add_argument("--without-path", action="store_true")
    parser.add_argument("--double", action="store_true", help="give scikit-learn float64")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    args = parser.parse_args()
    warnings.simplefilter("error")  # scikit-learn says so where it has not converged

    x_ND, y_N = {"spectrum": spectrum, "pixels": pixels}[args.features](args.samples, args.width, args.classes)
    x_ND = (x_ND - x_ND.mean(0)) / x_ND.std(0, correction=0)
    print(f"{len(x_ND)} × {x_ND.shape[1]}, {args.classes} classes, {args.features}; {where(args.device)}")
    for l2 in args.l2:
        compare(f"l2 {l2:g}, C {1 / (l2 * len(x_ND)):g}", x_ND, y_N, [l2], args)
    if not args.without_path:
        compare("path of l2 " + " ".join(f"{l2:g}" for l2 in STRENGTHS), x_ND, y_N, STRENGTHS, args)


if __name__ == "__main__":
    main()
