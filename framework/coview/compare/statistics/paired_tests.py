"""Which variants differ, seed by seed: each from each, or each from a baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import optimize, stats

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
        p_holm: The same after Holm's correction over all pairs that the modality is tested for.
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
    """Every two variants that have a number, the better one first; or each and the baseline, which is second."""
    pairs = _every_pair(scores)
    tested = [index for index, pair in enumerate(pairs) if math.isfinite(pair.p)]
    if tested:
        multipletests = require("statsmodels.stats.multitest").multipletests
        corrected = multipletests([pairs[index].p for index in tested], method="holm")[1]
        for index, p in zip(tested, corrected, strict=True):
            pairs[index] = replace(pairs[index], p_holm=float(p))
    return pairs


def _every_pair(scores: Scores) -> list[Pair]:
    if scores.baseline is None:
        return [_pair(scores, a, b) for a, b in combinations(scores.order, 2)]
    others = [v for v in scores.order if scores.variants[v] != scores.baseline]
    return [_pair(scores, v, b) for b in scores.order for v in others if scores.variants[b] == scores.baseline]


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


@dataclass(frozen=True)
class Detectable:
    """The smallest true difference of two variants that this many seeds find in four of five comparisons.

    Attributes:
        pairs: How many pairs are tested together, m.
        first: At 0.05 / m, which Holm's correction holds the smallest p to: a difference of this size is found whatever
            the other pairs do.
        last: At 0.05, which it holds the largest p to, once all others are told apart.
    """

    pairs: int
    first: float
    last: float

    @property
    def level(self) -> float:
        """The level of ``first``."""
        return ALPHA / self.pairs


def smallest_detectable(scores: Scores) -> Detectable | None:
    """What the paired t tests of a modality, two-sided and corrected by Holm, can find with a power of 0.8.

    The spread is that of the differences seen, pooled over the pairs that are tested; the seeds are the fewest that one
    of them has. None for fewer than two seeds.
    """
    pairs = [pair for pair in _every_pair(scores) if pair.seeds > 1]
    if not pairs:
        return None
    sd = math.sqrt(sum(pair.sd**2 * (pair.seeds - 1) for pair in pairs) / sum(pair.seeds - 1 for pair in pairs))
    seeds, m = min(pair.seeds for pair in pairs), len(pairs)
    return Detectable(m, sd * detectable_effect(seeds, ALPHA / m), sd * detectable_effect(seeds, ALPHA))


def detectable_effect(seeds: int, alpha: float) -> float:
    """The smallest effect that one paired t test at a level finds, in standard deviations of the differences.

    The root of the noncentral t distribution's power (Cohen 1988, section 2.5). The other tail is left out: where the
    power is 0.8 it holds less than a millionth.
    """
    freedom = seeds - 1
    least = stats.t.isf(alpha / 2, freedom)

    def lacking(shift: float) -> float:
        return float(stats.nct.sf(least, freedom, shift)) - POWER

    most = 1.0
    while lacking(most) < 0:
        most *= 2
    return float(optimize.brentq(lacking, 0.0, most)) / math.sqrt(seeds)
