"""Until decided: which pairs are decided by the seeds so far, and which cells would decide the rest.

Numbers are looked at when the first 3, 5, 8, 12, 18, … seeds are there, and in between not: what is decided is a
function of the cells, however often a comparison was interrupted, and by how many processes it was run. Of the error of
0.05 the first look may spend a half, the next a quarter, and so on: all looks together never spend more (Bonferroni's
bound over looks, Lan and DeMets 1983 have the spending), whatever the budget is, and though it be raised later. A pair
that is decided stays so, and a variant of which all pairs are decided gets no more seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from coview.compare.statistics.look_sizes import look_sizes
from coview.compare.statistics.model_test import model_test
from coview.compare.statistics.pair import ALPHA, Detectable, Pair, Tested
from coview.compare.statistics.paired_tests import pairs_of
from coview.compare.statistics.scores import Scores


def look_alpha(look: int) -> float:
    """What a look may spend of the error; the first is 0."""
    return ALPHA * 0.5 ** (look + 1)


@dataclass(frozen=True)
class Looked:
    """What looks at the cells of a modality have found.

    Attributes:
        tested: Each pair as it was when it was decided; the others as at the last look.
        looks: How many have been made.
        seeds: How many seeds there were at the last one.
        asked: Variant and seed of every cell that was needed so far, and is needed for the next look.
        undecided: How many pairs are not decided.
    """

    tested: Tested
    looks: int
    seeds: int
    asked: frozenset[tuple[str, str]]
    undecided: int


def look(scores: Scores) -> Looked:
    """Looks at the numbers, as often as there are enough seeds.

    Args:
        scores: Of all seeds that may be used, in their order; ``ended_VS`` says which cells have been run.
    """
    V = len(scores.variants)
    ended_VS = np.isfinite(scores.value_VS) if scores.ended_VS is None else scores.ended_VS
    needed_VS = np.zeros_like(ended_VS, dtype=bool)
    active = set(range(V))
    decided: dict[frozenset[str], Pair] = {}
    last: dict[frozenset[str], Pair] = {}
    notes: list[str] = []
    detectable: Detectable | None = None
    looks, seen = 0, 0
    for number, size in enumerate(look_sizes(len(scores.seeds))):
        needed_VS[sorted(active), :size] = True
        if not ended_VS[needed_VS].all():
            break
        now = replace(
            scores, value_VS=np.where(needed_VS, scores.value_VS, np.nan)[:, :size], seeds=scores.seeds[:size]
        )
        if now.items_VSN is not None:
            now = replace(now, items_VSN=now.items_VSN[:, :size])
        tested = model_test(now, look_alpha(number))
        looks, seen, notes, detectable = number + 1, size, tested.notes, tested.detectable
        for pair in tested.pairs:
            which = frozenset((pair.first, pair.second))
            # p over all looks: it is below 0.05 where the look's own is below what that may spend
            of_looks = replace(pair, p_all=min(1.0, pair.p_all * ALPHA / look_alpha(number)))
            last[which] = of_looks
            if which not in decided and of_looks.answer(scores.sign, scores.margin) != "undecided":
                decided[which] = of_looks
        left = set(last) - set(decided)
        active = {v for v in active if any(scores.variants[v] in which for which in left)}
        if not active:
            break
    asked = frozenset((scores.variants[v], scores.seeds[s]) for v, s in zip(*np.nonzero(needed_VS), strict=True))
    used = replace(scores, value_VS=np.where(needed_VS, scores.value_VS, np.nan))
    found = {**last, **decided}
    pairs = [
        _turned(found[which], scores.variants[a]) for a, b in pairs_of(used) if (which := _which(scores, a, b)) in found
    ]
    if decided and looks:
        notes = [
            *notes,
            f"Seeds were added until decided: {looks} looks, {len(decided)} of {len(found)} pairs decided.",
        ]
    return Looked(Tested(pairs, detectable, notes), looks, seen, asked, len(found) - len(decided) if found else -1)


def _which(scores: Scores, a: int, b: int) -> frozenset[str]:
    return frozenset((scores.variants[a], scores.variants[b]))


def _turned(pair: Pair, first: str) -> Pair:
    """The pair with this variant as the first."""
    if pair.first == first:
        return pair
    return replace(
        pair, first=pair.second, second=pair.first, difference=-pair.difference, low=-pair.high, high=-pair.low
    )
