"""Which variants differ, by one model of all cells: intervals that hold for all pairs together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from coview.compare.statistics.item_error import least_variances
from coview.compare.statistics.pair import ALPHA, POWER, Detectable, Pair, Tested
from coview.compare.statistics.paired_tests import differences, pairs_of
from coview.compare.statistics.scores import Scores
from coview.compare.statistics.spreads import Spreads, draw_spreads, share_seeds

LEVEL = 0.04
"""At which intervals are taken and p is set to 0.05.

Spreads of few seeds are known a little worse than the posterior says: by ``benchmarks/compare_statistics.py`` this
level errs in at most 0.06 of comparisons whose spreads lie between 0.005 and 0.04.
"""

_TWO = 2
"""So many variants are tested by a paired t test: they have no others to learn the spread from."""


def model_test(scores: Scores, alpha: float = ALPHA) -> Tested:
    """Every two variants that have a number, the better one first; or each and the baseline, which is second.

    Args:
        scores: The numbers.
        alpha: The error that all pairs together may make.
    """
    pairs = pairs_of(scores)
    floor_V, notes = least_variances(scores)
    if not pairs or not _spread_is_known(scores, floor_V, notes):
        return Tested([_untested(scores, a, b) for a, b in pairs], None, notes)
    if len(scores.order) == _TWO:
        return _two(scores, pairs[0], floor_V, alpha, notes)
    # in an order of their own, so that neither that of the file nor effects of seeds change a draw
    order = _by_effect(scores)
    value_VS = scores.value_VS[order]
    linked = share_seeds(np.isfinite(value_VS[:, np.isfinite(value_VS).any(0)]))
    if not linked:
        notes.append("The variants have no seeds in common: their numbers are not compared seed by seed.")
    spreads = draw_spreads(value_VS[None], floor_V[order][None], seed_effects=linked)
    place = {v: index for index, v in enumerate(order)}
    return _intervals(scores, pairs, [(place[a], place[b]) for a, b in pairs], spreads, alpha, notes)


def _by_effect(scores: Scores) -> list[int]:
    """The variants from the lowest to the highest, without the effects of their seeds: by least squares."""
    there = np.argwhere(np.isfinite(scores.value_VS))
    V, S = scores.value_VS.shape
    design = np.zeros((len(there), V + S))
    design[range(len(there)), there[:, 0]] = 1
    design[range(len(there)), V + there[:, 1]] = 1
    effect = np.linalg.lstsq(design, scores.value_VS[tuple(there.T)], rcond=None)[0][:V]
    # rounded, for what adds up in another order differs by a rounding
    return sorted(scores.order, key=lambda v: (round(float(effect[v]), 9), int(np.isfinite(scores.value_VS[v]).sum())))


def _intervals(
    scores: Scores,
    pairs: Sequence[tuple[int, int]],
    places: Sequence[tuple[int, int]],
    spreads: Spreads,
    alpha: float,
    notes: list[str],
) -> Tested:
    first, second = map(list, zip(*places, strict=True))
    difference_P = (spreads.mean_BV[:, first] - spreads.mean_BV[:, second])[0]
    half_P, p_P, p_all_P = simultaneous(spreads, first, second, alpha)
    count_V = np.isfinite(scores.value_VS).sum(1)
    variance_V = np.median(spreads.variance_BRV[0], 0)
    found, seen = [], []
    for (a, b), (i, j), difference, half, p, p_all in zip(
        pairs, places, difference_P, half_P[0], p_P[0], p_all_P[0], strict=True
    ):
        S, _, sd = differences(scores, a, b)
        error = math.sqrt(variance_V[i] / count_V[a] + variance_V[j] / count_V[b])
        seen.append(float(half) + float(stats.norm.ppf(POWER)) * error)
        low, high = float(difference - half), float(difference + half)
        found.append(
            Pair(scores.variants[a], scores.variants[b], S, float(difference), sd, low, high, float(p), float(p_all))
        )
    return Tested(found, Detectable(len(pairs), min(seen), max(seen)), notes)


def simultaneous(
    spreads: Spreads, first: Sequence[int], second: Sequence[int], alpha: float = ALPHA
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half the width of each pair's interval, p of each, and p over all.  B comparison · P pair

    The largest deviation of all pairs, each in units of its own 95 % quantile, is drawn; an interval is as wide as the
    quantile of that. So an interval is as wide as its own two variants spread.

    Args:
        spreads: Of the variants.
        first, second: The variants of each pair.
        alpha: The error that all pairs together may make.
    """
    level = LEVEL / ALPHA * alpha
    off_BRP = np.abs(spreads.deviation_BRV[:, :, first] - spreads.deviation_BRV[:, :, second])
    unit_BP = np.quantile(off_BRP, 1 - ALPHA, axis=1)
    largest_BR = (off_BRP / unit_BP[:, None]).max(2)
    half_BP = np.quantile(largest_BR, 1 - level, axis=1)[:, None] * unit_BP
    seen_BP = np.abs(spreads.mean_BV[:, first] - spreads.mean_BV[:, second])
    p_BP = (off_BRP >= seen_BP[:, None]).mean(1)
    p_all_BP = np.stack([(largest_BR >= seen[:, None]).mean(1) for seen in (seen_BP / unit_BP).T], 1)
    return half_BP, *(np.minimum(1.0, p * ALPHA / LEVEL) for p in (p_BP, p_all_BP))


def _two(scores: Scores, pair: tuple[int, int], floor_V: np.ndarray, alpha: float, notes: list[str]) -> Tested:
    """Two variants have no others to learn the spread from: their paired t test, no surer than the test items."""
    a, b = pair
    S, mean, sd = differences(scores, a, b)
    error = math.sqrt(max(sd**2, floor_V[a] + floor_V[b]) / S)
    half = float(stats.t.ppf(1 - alpha / 2, S - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, S - 1))
    found = Pair(scores.variants[a], scores.variants[b], S, mean, sd, mean - half, mean + half, p, p)
    seen = half + float(stats.norm.ppf(POWER)) * error
    return Tested([found], Detectable(1, seen, seen), notes)


def _spread_is_known(scores: Scores, floor_V: np.ndarray, notes: list[str]) -> bool:
    value_VS = scores.value_VS[scores.order]
    value_VS = value_VS[:, np.isfinite(value_VS).any(0)]
    there_VS = np.isfinite(value_VS)
    linked = share_seeds(there_VS)
    free = int(there_VS.sum()) - len(value_VS) - (there_VS.shape[1] - 1 if linked else 0)
    if free < 1 or (len(value_VS) == _TWO and (there_VS.all(0).sum() < 2)):
        notes.append(
            "The spread of seeds is unknown: each variant has a single seed, or the variants have hardly any seeds in "
            "common. Give at least three seeds in sweep.grid.seed."
        )
        return False
    rest_VS = value_VS - scores.means[scores.order][:, None]
    if linked:
        rest_VS = rest_VS - np.nanmean(rest_VS, 0)
    if np.nanmax(np.abs(rest_VS)) < 1e-12 and not floor_V[scores.order].all():
        notes.append(
            "The variants differ by the same amount in every seed, and nothing is known of the test items' own error: "
            "they cannot be tested. Is the seed used?"
        )
        return False
    return True


def _untested(scores: Scores, a: int, b: int) -> Pair:
    S, _, sd = differences(scores, a, b)
    difference = float(scores.means[a] - scores.means[b])
    return Pair(scores.variants[a], scores.variants[b], S, difference, sd, math.nan, math.nan, math.nan)
