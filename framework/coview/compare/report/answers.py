"""What is said of pairs: their answers, how their intervals are made, and which differences can be found."""

from __future__ import annotations

import math

from coview.compare.statistics.analysis import ModalityAnalysis
from coview.compare.statistics.pair import Pair

_TESTS = {"paired_t": "Paired t tests", "wilcoxon": "Wilcoxon's signed-rank tests"}


def answer_in_words(each: ModalityAnalysis, pair: Pair) -> str:
    """One of the four answers, of the first against the second; why there is none where it cannot be tested."""
    if math.isnan(pair.p):
        return "not tested"
    return pair.answer(each.scores.sign, each.scores.margin)


def intervals_in_words(each: ModalityAnalysis) -> str:
    """How the intervals and p of all pairs of a modality are made."""
    margin = f" Differences up to {each.scores.margin:g} do not matter." if each.scores.margin else ""
    if each.scores.test != "model":
        return (
            f"{_TESTS[each.scores.test]}; each interval is for its own pair alone, by Student's t; the p values are "
            "corrected by Holm."
        )
    if len(each.scores.order) == 2:
        return f"Of two variants: the paired t test over seeds.{margin}"
    return (
        "By one model of all cells: variants, seeds, and a spread of each variant, for which the model also uses the "
        f"other variants. The intervals hold for all {len(each.pairs)} pairs together.{margin}"
    )


def detectable_in_words(each: ModalityAnalysis) -> str:
    """The smallest differences that the test finds in four of five comparisons."""
    found = each.detectable
    if found is None:
        return ""
    first, last = f"{found.first:.3f}", f"{found.last:.3f}"
    if each.scores.test == "model":
        if first == last:
            return (
                f"A true difference of {first} is found in four of five such comparisons; smaller ones may be missed."
            )
        return (
            f"A true difference of {first} between the two variants that spread least, and of {last} between those "
            "that spread most, is found in four of five such comparisons; smaller ones may be missed."
        )
    said = f"Differences smaller than {first} may be missed with this many seeds (paired t test, power 0.8, α = 0.05"
    if found.pairs == 1:
        return f"{said})."
    return (
        f"{said} / {found.pairs} = {found.level:.2g}: Holm's correction holds the first of {found.pairs} pairs to "
        f"that). The last one, when all others are told apart, is held to α = 0.05: {last}."
    )
