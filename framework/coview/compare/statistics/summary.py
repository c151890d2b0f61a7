"""The mean of a variant over its seeds, and how far it may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from coview.compare.statistics.scores import Scores
from coview.evaluate.intervals import Groups, draws_variance, mean_variance, variance_of
from coview.evaluate.result import within

RESAMPLES = 2_000
_AT_A_TIME = 250

SEEDS_AND_ITEMS = "bootstrap over seeds and test items"
SEEDS = "t interval over seeds"
ITEMS = "bootstrap over test items: one seed"
SEEDS_AND_GROUPS = "t interval over seeds and the groups of the test items"
GROUPS = "t interval over the groups of the test items: one seed"
NONE = "none: one seed, and no numbers of single test items"


@dataclass(frozen=True)
class Summary:
    """A variant in a modality.

    Attributes:
        variant: Which.
        seeds: How many runs have a number.
        mean: Of them; NaN where there is none.
        sd: Between seeds; NaN for fewer than two.
        low, high: The 95 % interval of the mean, no further than the number's bounds; NaN where there is none.
        method: What the interval is over.
        untrained, raw: The means of the controls; NaN where one was not measured.
    """

    variant: str
    seeds: int
    mean: float
    sd: float
    low: float
    high: float
    method: str
    untrained: float
    raw: float


def summarise(scores: Scores) -> list[Summary]:
    """Every variant of a modality, in the comparison's order."""
    return [_summary(scores, v) for v in range(len(scores.variants))]


def _summary(scores: Scores, v: int) -> Summary:
    there = np.isfinite(scores.value_VS[v])
    value_S = scores.value_VS[v, there]
    S = len(value_S)
    mean = float(value_S.mean()) if S else math.nan
    sd = float(value_S.std(ddof=1)) if S > 1 else math.nan
    items_SN = None if scores.items_VSN is None else scores.items_VSN[v, there].astype(np.float64)
    error, freedom, method = error_of(value_S, items_SN, scores.groups)
    half = error * float(stats.t.ppf(0.975, freedom)) if error else 0.0
    low, high = (within(mean + sign * half, scores.bounds) for sign in (-1, 1))
    return Summary(
        scores.variants[v], S, mean, sd, low, high, method,
        _mean(scores.untrained_VS[v]), _mean(scores.raw_VS[v]),
    )  # fmt: skip


def error_of(value_S: np.ndarray, items_SN: np.ndarray | None, groups: Groups | None) -> tuple[float, float, str]:
    """The standard error of a mean over seeds, its degrees of freedom, and what it is over; NaN where there is none.

    Args:
        value_S: Of each seed.
        items_SN: The same of each test item; absent: not known.
        groups: Of the test items, where there are several groups.
    """
    S = len(value_S)
    if items_SN is not None and groups is not None and S:
        of_groups = mean_variance(items_SN.mean(0), groups)
        variance, freedom = variance_of((of_groups, *draws_variance(items_SN.mean(1))))
        return math.sqrt(variance), freedom, SEEDS_AND_GROUPS if S > 1 else GROUPS
    if items_SN is not None and items_SN.shape[1] > 1 and S:
        return *error_over_seeds_and_items(items_SN, np.random.default_rng(0)), SEEDS_AND_ITEMS if S > 1 else ITEMS
    if S > 1:
        return float(value_S.std(ddof=1)) / math.sqrt(S), S - 1, SEEDS
    return math.nan, math.nan, NONE


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def error_over_seeds_and_items(items_SN: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    """The standard error of the mean over all, and its degrees of freedom.

    Every seed is tested on the same items, so seeds and items are resampled independently (the pigeonhole bootstrap,
    Owen 2007); of S seeds S - 1 are taken, which makes the variance between them unbiased (Rao and Wu 1988).
    Percentiles of so few seeds would be far too narrow: the interval is made of the bootstrap's standard error and
    Student's t, with Satterthwaite's degrees of freedom for the sum of a variance between seeds and one between items.

    Args:
        items_SN: How each seed's run did on each test item.
        generator: All the randomness.
    """
    S, N = items_SN.shape
    # items on which the seeds did alike are interchangeable: a resample is how often each pattern occurs
    patterns_PS, counts_P = np.unique(items_SN.T, axis=0, return_counts=True)
    means = []
    for _ in range(0, RESAMPLES, _AT_A_TIME):
        times_RP = generator.multinomial(N, counts_P / N, size=_AT_A_TIME)
        values_RS = times_RP @ patterns_PS / N
        seeds_RS = generator.multinomial(max(1, S - 1), np.full(S, 1 / S), size=_AT_A_TIME) / max(1, S - 1)
        means.append((values_RS * seeds_RS).sum(1))
    error = float(np.concatenate(means).std(ddof=1))
    of_items = float(items_SN.mean(0).var(ddof=1)) / N
    of_seeds = float(items_SN.mean(1).var(ddof=1)) / S if S > 1 else 0.0
    total = of_items + of_seeds
    if total == 0:
        return 0.0, float(N - 1)
    freedom = total**2 / (of_items**2 / (N - 1) + (of_seeds**2 / (S - 1) if S > 1 else 0.0))
    return error, freedom
