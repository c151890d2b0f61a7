"""Which variants differ, seed by seed and by few assumptions: paired t tests or Wilcoxon's, corrected by Holm."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import optimize, stats

from coview.compare.libraries import require
from coview.compare.statistics.pair import ALPHA, POWER, Detectable, Pair, Tested
from coview.compare.statistics.scores import Scores


def paired_tests(scores: Scores) -> Tested:
    """Every two variants that have a number, the better one first; or each and the baseline, which is second."""
    pairs = [_pair(scores, a, b) for a, b in pairs_of(scores)]
    tested = [index for index, pair in enumerate(pairs) if math.isfinite(pair.p)]
    if tested:
        multipletests = require("statsmodels.stats.multitest").multipletests
        corrected = multipletests([pairs[index].p for index in tested], method="holm")[1]
        for index, p in zip(tested, corrected, strict=True):
            pairs[index] = replace(pairs[index], p_all=float(p))
    notes = []
    least = min((2.0 ** (1 - pair.seeds) for pair in pairs if pair.seeds), default=1.0)
    if scores.test == "wilcoxon" and tested and least * len(tested) > ALPHA:
        notes.append(
            f"Wilcoxon's test can tell nothing apart here: with so few seeds its smallest p is {least:.3g}, and Holm's "
            f"correction holds the first of {len(tested)} pairs to {ALPHA / len(tested):.2g}."
        )
    return Tested(pairs, _smallest_detectable(pairs) if scores.test == "paired_t" else None, notes)


def pairs_of(scores: Scores) -> list[tuple[int, int]]:
    """The variants of each pair that is tested."""
    if scores.baseline is None:
        return list(combinations(scores.order, 2))
    others = [v for v in scores.order if scores.variants[v] != scores.baseline]
    return [(v, b) for b in scores.order for v in others if scores.variants[b] == scores.baseline]


def differences(scores: Scores, a: int, b: int) -> tuple[int, float, float]:
    """How many seeds have both, the mean of their differences, and the standard deviation."""
    difference_S = scores.value_VS[a] - scores.value_VS[b]
    difference_S = difference_S[np.isfinite(difference_S)]
    S = len(difference_S)
    mean = float(difference_S.mean()) if S else math.nan
    sd = float(difference_S.std(ddof=1)) if S > 1 else math.nan
    return S, mean, 0.0 if sd <= 1e-12 * max(1.0, abs(mean)) else sd  # rounding: the same difference in every seed


def _pair(scores: Scores, a: int, b: int) -> Pair:
    S, mean, sd = differences(scores, a, b)
    low = high = p = math.nan
    if sd == 0:
        low, high, p = mean, mean, float(abs(mean) <= 1e-12)
    elif S > 1:
        half = float(stats.t.ppf(1 - ALPHA / 2, S - 1)) * sd / math.sqrt(S)
        low, high, p = mean - half, mean + half, 2 * float(stats.t.sf(abs(mean) / sd * math.sqrt(S), S - 1))
    if scores.test == "wilcoxon" and S > 1:
        difference_S = scores.value_VS[a] - scores.value_VS[b]
        difference_S = difference_S[np.isfinite(difference_S)]
        p = float(stats.wilcoxon(difference_S, method="exact").pvalue) if difference_S.any() else 1.0
    return Pair(scores.variants[a], scores.variants[b], S, mean, sd, low, high, p)


def _smallest_detectable(every: list[Pair]) -> Detectable | None:
    """What paired t tests, two-sided and corrected by Holm, can find with a power of 0.8.

    The spread is that of the differences seen, pooled over the pairs that are tested; the seeds are the fewest that one
    of them has. None for fewer than two seeds.
    """
    pairs = [pair for pair in every if pair.seeds > 1]
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
