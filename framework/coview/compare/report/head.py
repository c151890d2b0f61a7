"""What a reader sees first: how sure the answer is, what was learnt, what varied and what was held fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from coview.compare.report.differences import Differences
from coview.compare.report.tables import test_items
from coview.compare.statistics.analysis import ModalityAnalysis
from coview.compare.statistics.controls import Gain
from coview.compare.statistics.pair import ALPHA
from coview.compare.table import Table

_CONTROL = {"untrained": "the untrained encoder", "raw": "raw features"}

_TESTS = {
    "model": "one model of all cells",
    "paired_t": "paired t tests with Holm's correction",
    "wilcoxon": "Wilcoxon's tests with Holm's correction",
}

_TOLD = (
    "data.use", "encoder.use", "optimizer.use", "optimizer.lr", "train.steps", "train.epochs", "train.batch_size",
    "loss.use",
)  # fmt: skip
"""What is named of what was held fixed; the rest is counted."""

_MOST_VARIED = 6


@dataclass(frozen=True)
class BesideControl:
    """The best variant and a control, in words.

    Attributes:
        answer: ``above``, ``below`` or ``undecided``.
        said: A sentence.
    """

    answer: str
    said: str


def beside_controls(each: ModalityAnalysis) -> list[BesideControl]:
    """Whether the best variant of a modality beats what was not pretrained."""
    return [BesideControl(gain.answer(each.scores.sign), _said(each, gain)) for gain in each.gains]


def _said(each: ModalityAnalysis, gain: Gain) -> str:
    best, control = each.ranked[0].variant, _CONTROL[gain.control]
    by = f"{abs(gain.difference):.3f}"
    if not math.isfinite(gain.low):
        return f"{best} minus {control}: {gain.difference:+.3f}; one seed or equal seeds, so no interval."
    ends = f"[{gain.low:+.3f},\u00a0{gain.high:+.3f}]"
    answer = gain.answer(each.scores.sign)
    if answer == "above":
        return f"{best} beats {control} by {by} {ends}."
    if answer == "below":
        return f"{best} is worse than {control} by {by} {ends}."
    return f"{best} cannot be told from {control}: {gain.difference:+.3f} {ends}."


def how_sure(table: Table, each: ModalityAnalysis) -> Mapping[str, str]:
    """What the answer of a modality rests on, in few words each."""
    counts = sorted({summary.seeds for summary in each.summaries if summary.seeds})
    seeds = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]]))) if counts else "none"
    said = {"seeds": f"{seeds} of each variant", "test items": test_items(table, each.scores.modality)}
    if each.gains and len(each.scores.order) > 1:
        said["against controls"] = f"95 % intervals that allow for its being the best of {len(each.scores.order)}"
    tested = [pair for pair in each.pairs if math.isfinite(pair.p)]
    if not tested:
        return {**said, "test": "none: no pair can be tested"}
    test = _TESTS[each.scores.test]
    if each.scores.test == "model" and len(each.scores.order) == 2:
        test = "paired t test over seeds"
    pairs = f"{len(tested)} pairs together" if len(tested) > 1 else "1 pair"
    looks = ", over all looks" if table.until_decided else ""
    found = each.detectable
    if found is not None:
        ends = dict.fromkeys(f"{value:.3f}" for value in sorted((found.first, found.last)))
        said["can find"] = f"true differences of {' to '.join(ends)} (four times of five)"
    return {**said, "test": f"{test}; error at most {ALPHA:g} over {pairs}{looks}"}


def varied_in_words(found: Differences) -> str:
    """Which keys of the recipes the variants differ in."""
    keys = list(found.varied)
    if not keys:
        return "nothing but the seed"
    more = len(keys) - _MOST_VARIED
    return ", ".join(keys[:_MOST_VARIED]) + (f" and {more} more" if more > 0 else "")


def fixed_in_words(found: Differences) -> str:
    """What all runs have in common: the keys that matter most with their values, the others counted."""
    told = [f"{key} {found.fixed[key]}" for key in _TOLD if key in found.fixed]
    rest = len(found.fixed) - len(told)
    listed = ", ".join(told)
    return f"{listed} and {rest} more keys" if told else f"{rest} keys"
