"""Whether variants rank alike over modalities: Friedman's test, and Nemenyi's of each two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from coview.compare.libraries import require
from coview.compare.statistics.pair import ALPHA
from coview.compare.statistics.scores import Scores

FEWEST_MODALITIES = 3


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over blocks.  V variant · B block

    Attributes:
        variants: Those that every block has a number of.
        blocks: How many.
        of: What a block is, in words.
        rank_V: The mean rank of each; 1 is best, ties share theirs.
        p: Friedman's; NaN where it has none.
        p_VV: Nemenyi's, of each two.
        critical_difference: Mean ranks that lie further apart differ at the level of 0.05.
        caution: What weakens the test; empty otherwise.
    """

    variants: tuple[str, ...]
    blocks: int
    of: str
    rank_V: np.ndarray
    p: float
    p_VV: np.ndarray
    critical_difference: float
    caution: str = ""


def compare_ranks(every: Sequence[Scores]) -> Ranks | str:
    """Ranks over all modalities, or why there are none.

    A block is a modality, of which the seeds are averaged, where there are at least three; else a seed of a modality.
    Variants that a block lacks are left out of all, then blocks without any number.
    """
    names = list(dict.fromkeys(variant for scores in every for variant in scores.variants))
    common = [name for name in names if all(name in scores.variants for scores in every)]
    grids = [scores.sign * scores.value_VS[[scores.variants.index(name) for name in common]] for scores in every]
    if len(every) >= FEWEST_MODALITIES:
        averaged = [scores.sign * scores.means[[scores.variants.index(name) for name in common]] for scores in every]
        value_BV = np.array(averaged).reshape(len(every), len(common))
        of, caution = "a modality, averaged over its seeds", ""
    else:
        value_BV = np.concatenate([grid.T for grid in grids]) if grids else np.empty((0, 0))
        of = "a seed of a modality" if len(every) > 1 else "a seed"
        caution = (
            f"Seeds of one modality share its data and are not independent blocks: with fewer than {FEWEST_MODALITIES} "
            "modalities this says how steady the ranking is over seeds, not that it holds on other data."
        )
    value_BV = value_BV[np.isfinite(value_BV).any(1)]
    whole_V = np.isfinite(value_BV).all(0)
    variants = tuple(name for name, whole in zip(common, whole_V, strict=True) if whole)
    value_BV = value_BV[:, whole_V]
    if len(variants) < 3:
        return f"Friedman's test needs three variants with a number in every block; there are {len(variants)}."
    if len(value_BV) < 2:
        return f"Friedman's test needs two blocks (a block is {of}); there is {len(value_BV)}."
    return _ranks(variants, value_BV, of, caution)


def _ranks(variants: tuple[str, ...], value_BV: np.ndarray, of: str, caution: str) -> Ranks:
    B, V = value_BV.shape
    rank_BV = stats.rankdata(-value_BV, axis=1)
    if (rank_BV == rank_BV[:, :1]).all():  # all tied in every block: scipy divides by zero
        p, p_VV = 1.0, np.ones((V, V))
    else:
        p = float(stats.friedmanchisquare(*value_BV.T).pvalue)
        p_VV = np.asarray(require("scikit_posthocs").posthoc_nemenyi_friedman(-value_BV), dtype=float)
    quantile = float(stats.studentized_range.ppf(1 - ALPHA, V, np.inf)) / math.sqrt(2)
    return Ranks(variants, B, of, rank_BV.mean(0), p, p_VV, quantile * math.sqrt(V * (V + 1) / (6 * B)), caution)


def groups(ranks: Ranks) -> list[tuple[int, int]]:
    """The longest stretches of variants in the order of their ranks that cannot be told apart: first and last place."""
    sorted_V = np.sort(ranks.rank_V)
    found: list[tuple[int, int]] = []
    for start in range(len(sorted_V)):
        end = int(np.flatnonzero(sorted_V - sorted_V[start] < ranks.critical_difference)[-1])
        if end > start and (not found or end > found[-1][1]):
            found.append((start, end))
    return found
