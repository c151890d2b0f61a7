"""A ridge regression: how well does a linear map of frozen features tell the samples' scores?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from coview.builtin.evaluators.ridge import Ridge
from coview.builtin.evaluators.standardise import Standardise
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate import intervals
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.labelled import finite_features
from coview.evaluate.result import Result

ALPHAS = tuple(10.0**power for power in range(3, -5, -1))
"""The penalties that are tried, from the strongest to the weakest."""


class Regression:
    """Ridge regression of the samples' scores on frozen features (Hoerl and Kennard 1970).

    The strength of the penalty is the one of the highest R² on the validation split, and the regression is fitted again
    on train and validation together. Features are standardised by the mean and spread of the samples that are fitted.
    R² is 1 where every score is predicted and 0 for the mean of the test scores; it may be negative. Spearman's
    correlation asks for the order alone, and is 0 where all predictions are equal. The data has to have scores.
    """

    splits = ("train", "validation", "test")
    labels: Literal["score"] = "score"

    def check(self, data: KnownData, /) -> None:
        """Refuses fewer than three test samples."""
        if data.samples["test"] < 3:
            raise CoviewError(f"the test split has {data.samples['test']} samples, and a regression needs at least 3")

    def __call__(self, features: Features, rng: Rng) -> list[Result]:
        """R² and Spearman's correlation on the test split, with intervals over its items.

        Raises:
            CoviewError: If a split has no scores, or there are fewer than three test items, or all of one score.
        """
        train, validation = _scored_split(features, "train"), _scored_split(features, "validation")
        test_ND, test_N = _scored_split(features, "test")
        truth_N = test_N.cpu().numpy()
        if len(truth_N) < 3 or np.ptp(truth_N) == 0:
            raise CoviewError(
                f"the test split has {len(truth_N)} scores, {len(np.unique(truth_N))} of them different: "
                "a regression needs at least 3 that are not all equal"
            )
        alpha = _best_on_validation(train, validation)
        x_ND, y_N = torch.cat([train[0], validation[0]]), torch.cat([train[1], validation[1]])
        scale = Standardise(x_ND)
        w_D, b = Ridge(scale(x_ND), y_N).fit(alpha)
        predicted_N = (scale(test_ND).double() @ w_D + b).cpu().numpy()
        protocol: dict[str, Any] = {
            "objective": "mean squared error + alpha · sum of squared weights, intercept free",
            "standardised": "by the samples that are fitted",
            "alpha_grid": list(ALPHAS),
            "alpha_by": "R² on the validation split; fitted again on train and validation",
            "labelled": len(y_N),
            "chosen": {"alpha": alpha},
            "interval": f"{intervals.PAIRED_METHOD} of test items",
        }
        results = []
        for name, statistic, lowest in (("r2", r_squared, None), ("spearman", _spearman, -1.0)):
            value = statistic(truth_N, predicted_N)
            ends = intervals.paired_interval(truth_N, predicted_N, statistic, rng.numpy)
            low, high = intervals.covering(value, ends)
            results.append(Result(name, value, low, high, len(truth_N), "test", protocol, bounds=(lowest, 1.0)))
        return results


def r_squared(truth_N: np.ndarray, predicted_N: np.ndarray) -> float:
    """The share of the variance that is predicted; 0 where there is no variance."""
    total = float(((truth_N - truth_N.mean()) ** 2).sum())
    return 1 - float(((truth_N - predicted_N) ** 2).sum()) / total if total else 0.0


def _spearman(truth_N: np.ndarray, predicted_N: np.ndarray) -> float:
    if np.ptp(truth_N) == 0 or np.ptp(predicted_N) == 0:
        return 0.0
    return float(stats.spearmanr(truth_N, predicted_N).statistic)


def _scored_split(features: Features, split: str) -> tuple[Tensor, Tensor]:
    x_ND, scores_N = finite_features(features, split), features[split].scores_N
    if scores_N is None:
        raise CoviewError(f"the {split} split has no scores")
    return x_ND, scores_N.to(x_ND.device)


def _best_on_validation(train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor]) -> float:
    """The penalty of the highest validation R², the strongest of equals."""
    scale = Standardise(train[0])
    ridge, held_ND, truth_N = Ridge(scale(train[0]), train[1]), scale(validation[0]).double(), validation[1]
    errors = []
    for alpha in ALPHAS:
        w_D, b = ridge.fit(alpha)
        errors.append(float((held_ND @ w_D + b - truth_N).square().mean()))  # of the same truths: as good as R²
    return ALPHAS[int(np.argmin(errors))]
