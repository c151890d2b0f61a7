"""A ridge regression: how well does a linear map of frozen features tell the samples' scores?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from coview.builtin.evaluators.ridge import Ridge
from coview.builtin.evaluators.standardise import Scaling, Standardise, scaling_protocol, scalings
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import choices, finite_features, intervals

ALPHAS = tuple(10.0**power for power in range(3, -5, -1))
"""The penalties that are tried, from the strongest to the weakest."""

Scored = tuple[Tensor, Tensor]


class Regression:
    """Ridge regression of the samples' scores on frozen features (Hoerl and Kennard 1970).

    The strength of the penalty, and whether features are standardised, are those of the least squared error: on the
    validation split where the data has one; else, in the mean, on folds of the training split with no group in two of
    them, or on a tenth of it that is large. The regression is fitted again on train and validation together.
    R² is 1 where every score is predicted and 0 for the mean of the test scores; it may be negative. Spearman's
    correlation asks for the order alone, and is 0 where all predictions are equal. The data has to have scores.

    Args:
        standardise: true: each feature in units of its spread; false: as they are; "choose": what judges better.
    """

    splits = ("train", "validation", "test")
    labels: Literal["score"] = "score"

    def __init__(self, *, standardise: Scaling = "choose") -> None:
        self.standardise = standardise

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
        most = intervals.MOST_BLOCKS
        truth_N, groups = test_N.cpu().numpy(), intervals.groups_of(features["test"].groups_N)
        if len(truth_N) < 3 or np.ptp(truth_N) == 0:
            raise CoviewError(
                f"the test split has {len(truth_N)} scores, {len(np.unique(truth_N))} of them different: "
                "a regression needs at least 3 that are not all equal"
            )
        by = choices(features, None)
        x_ND, y_N = by.x_ND, torch.cat([train[1], validation[1]])
        each, alpha = self._best([((x_ND[a], y_N[a]), (x_ND[b], y_N[b])) for a, b in by.rows])
        scale = Standardise(x_ND, each=each)
        w_D, b = Ridge(scale(x_ND), y_N).fit(alpha)
        predicted_N = (scale(test_ND).double() @ w_D + b).cpu().numpy()
        protocol: dict[str, Any] = {
            "objective": "mean squared error + alpha · sum of squared weights, intercept free",
            **scaling_protocol(self.standardise),
            "alpha_grid": list(ALPHAS),
            "alpha_by": f"squared error on {by.by}; fitted again on train and validation",
            "labelled": len(y_N),
            "chosen": {"alpha": alpha, "standardise": each},
            "interval": f"{intervals.PAIRED_METHOD if groups is None else groups.method_of(most)} of test items",
        }
        results = []
        for name, statistic, lowest in (("r2", r_squared, None), ("spearman", _spearman, -1.0)):
            value = statistic(truth_N, predicted_N)
            ends = intervals.paired_interval(truth_N, predicted_N, statistic, rng.numpy, groups)
            low, high = intervals.covering(value, ends)
            n, count = len(truth_N), None if groups is None else groups.count
            results.append(Result(name, value, low, high, n, "test", protocol, bounds=(lowest, 1.0), groups=count))
        return results

    def _best(self, folds: list[tuple[Scored, Scored]]) -> tuple[bool, float]:
        """Scaling and penalty of the least squared error in the mean over folds: of equals the first scaling, and the
        strongest penalty."""
        points = [(each, alpha) for each in scalings(self.standardise) for alpha in ALPHAS]
        error_FP = [[e for each in scalings(self.standardise) for e in _errors(*fold, each)] for fold in folds]
        return points[int(np.argmin(np.mean(error_FP, axis=0)))]


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


def _errors(fitted: Scored, judged: Scored, each: bool) -> list[float]:
    """The squared error on some samples for each penalty, fitted to others."""
    scale = Standardise(fitted[0], each=each)
    ridge, held_ND = Ridge(scale(fitted[0]), fitted[1]), scale(judged[0]).double()
    weights = [ridge.fit(alpha) for alpha in ALPHAS]
    return [float((held_ND @ w_D + b - judged[1]).square().mean()) for w_D, b in weights]
