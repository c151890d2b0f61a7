"""Which variants differ: each with each, seed by seed."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from coview.compare.libraries import require
from coview.compare.statistics.scores import Scores

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Pair:
    """Two variants of a modality.

    Attributes:
        first, second: Which.
        seeds: How many have both.
        difference: Mean of the first less the second over these seeds; NaN where there is none.
        sd: Of the differences; NaN for fewer than two seeds.
        low, high: The 95 % t interval of the difference, of this pair alone.
        p: Of the paired t test; NaN for fewer than two seeds.
        p_holm: The same after Holm's correction over all pairs of the modality.
    """

    first: str
    second: str
    seeds: int
    difference: float
    sd: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan

    @property
    def differs(self) -> bool:
        """Whether it is told apart at the level of 0.05, over all pairs together."""
        return self.p_holm < ALPHA


def compare_pairs(scores: Scores) -> list[Pair]:
    """Every two variants that have a number, the better one first."""
    pairs = _every_pair(scores)
    tested = [index for index, pair in enumerate(pairs) if math.isfinite(pair.p)]
    if tested:
        multipletests = require("statsmodels.stats.multitest").multipletests
        corrected = multipletests([pairs[index].p for index in tested], method="holm")[1]
        for index, p in zip(tested, corrected, strict=True):
            pairs[index] = replace(pairs[index], p_holm=float(p))
    return pairs


def _every_pair(scores: Scores) -> list[Pair]:
    return [_pair(scores, a, b) for a, b in combinations(scores.order, 2)]


def _pair(scores: Scores, a: int, b: int) -> Pair:
    difference_S = scores.value_VS[a] - scores.value_VS[b]
    difference_S = difference_S[np.isfinite(difference_S)]
    S = len(difference_S)
    mean = float(difference_S.mean()) if S else math.nan
    sd = low = high = p = math.nan
    if S > 1:
        sd = float(difference_S.std(ddof=1))
        if sd <= 1e-12 * max(1.0, abs(mean)):  # rounding: the same difference in every seed
            sd, low, high, p = 0.0, mean, mean, float(abs(mean) <= 1e-12)
        else:
            half = float(stats.t.ppf(1 - ALPHA / 2, S - 1)) * sd / math.sqrt(S)
            low, high, p = mean - half, mean + half, float(stats.ttest_1samp(difference_S, 0).pvalue)
    return Pair(scores.variants[a], scores.variants[b], S, mean, sd, low, high, p)


def smallest_detectable(scores: Scores) -> float:
    """The smallest true difference of two variants that this many seeds find in four of five comparisons.

    Of one paired t test at 0.05, two-sided, with a power of 0.8; its spread is that of the differences seen, pooled
    over all pairs. NaN for fewer than two seeds. Holm's correction asks for more still.
    """
    pairs = [pair for pair in _every_pair(scores) if pair.seeds > 1]
    if not pairs:
        return math.nan
    sd = math.sqrt(sum(pair.sd**2 * (pair.seeds - 1) for pair in pairs) / sum(pair.seeds - 1 for pair in pairs))
    return sd * detectable_effect(min(pair.seeds for pair in pairs))


def detectable_effect(seeds: int) -> float:
    """The same, in standard deviations of the paired differences."""
    power = require("statsmodels.stats.power").TTestPower()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on its way to the root it passes values that scipy warns of
        found = power.solve_power(effect_size=None, nobs=seeds, alpha=ALPHA, power=POWER, alternative="two-sided")
    return float(np.asarray(found).item())
