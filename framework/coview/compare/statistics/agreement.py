"""Whether what works in one modality carries over to another: Kendall's tau between their rankings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from coview.compare.statistics.scores import Scores, mean_over_seeds

RESAMPLES = 2_000


@dataclass(frozen=True)
class Agreement:
    """Of two modalities.

    Attributes:
        first, second: Which.
        variants: How many have a number in both.
        tau: Kendall's tau-b of the means: 1 the same order, -1 the opposite; NaN where one ranks nothing, and of two
            variants, of which it can be nothing but 1 or -1.
        low, high: The 95 % percentile bootstrap interval over seeds; NaN where a modality has a single seed.
        note: What weakens it; empty otherwise.
    """

    first: str
    second: str
    variants: int
    tau: float
    low: float
    high: float
    note: str = ""


def agreements(every: Sequence[Scores]) -> list[Agreement]:
    """Every two modalities."""
    return [_agreement(first, second) for first, second in combinations(every, 2)]


def _agreement(first: Scores, second: Scores) -> Agreement:
    common = [
        name
        for v, name in enumerate(first.variants)
        if np.isfinite(first.means[v])
        and name in second.variants
        and np.isfinite(second.means[second.variants.index(name)])
    ]
    values = [scores.value_VS[[scores.variants.index(name) for name in common]] for scores in (first, second)]
    tau = low = high = math.nan
    note = ""
    if len(common) < 2:
        note = "fewer than two variants have a number in both"
    else:
        tau = _tau(*map(mean_over_seeds, values))
        if math.isnan(tau):
            note = "one of them ranks nothing: all its variants are equal"
        elif min(value_VS.shape[1] for value_VS in values) < 2:
            note = "one seed: no interval"
        elif len(common) > 2:
            low, high = _interval(values)
            if len(common) < 5:
                note = f"{len(common)} variants have only {math.factorial(len(common))} orders: weak evidence"
        if len(common) == 2 and math.isfinite(tau):
            order = "the same order" if tau > 0 else "opposite orders"
            note = "; ".join(filter(None, (f"two variants, in {order}: too few for a correlation", note)))
            tau = math.nan
    return Agreement(first.modality, second.modality, len(common), tau, low, high, note)


def _tau(first_V: np.ndarray, second_V: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(stats.kendalltau(first_V, second_V).statistic)


def _interval(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Seeds are resampled in each modality by itself: they are other runs, on other data."""
    generator = np.random.default_rng(0)
    means = []
    for value_VS in values:
        S = value_VS.shape[1]
        drawn_RS = generator.integers(S, size=(RESAMPLES, S))
        means.append([mean_over_seeds(value_VS[:, drawn_S]) for drawn_S in drawn_RS])
    taus = [_tau(one, other) for one, other in zip(*means, strict=True) if np.isfinite(one + other).all()]
    finite = [tau for tau in taus if math.isfinite(tau)]
    if not finite:
        return math.nan, math.nan
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
