"""All that is said of a table, computed once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from coview.compare.made_with import other_machines
from coview.compare.statistics.agreement import Agreement, agreements
from coview.compare.statistics.controls import Gain, gains
from coview.compare.statistics.pair import Detectable, Pair
from coview.compare.statistics.pairs import compare_pairs
from coview.compare.statistics.ranks import Ranks, compare_ranks
from coview.compare.statistics.scores import Scores, scores_of
from coview.compare.statistics.summary import Summary, summarise
from coview.compare.statistics.verdict import cautions, verdict
from coview.compare.table import Row, Table


@dataclass(frozen=True)
class ModalityAnalysis:
    """Of one modality.

    Attributes:
        scores: Its numbers.
        summaries: Of each variant, in the comparison's order.
        pairs: Of each two variants, the better one first.
        detectable: The smallest difference that the test can find; None where nothing can be tested.
        verdict: The answer in words.
        cautions: What has to be known with it.
        gains: Of the variant with the best mean, over each control that was measured.
    """

    scores: Scores
    summaries: Sequence[Summary]
    pairs: Sequence[Pair]
    detectable: Detectable | None
    verdict: str
    cautions: Sequence[str]
    gains: Sequence[Gain]

    @property
    def leading(self) -> frozenset[str]:
        """The best, and what is not told apart from it; empty where nothing was tested, or against a baseline alone."""
        if self.scores.baseline is not None or not any(math.isfinite(pair.p) for pair in self.pairs):
            return frozenset()
        best = self.scores.variants[self.scores.order[0]]
        of_best = [pair for pair in self.pairs if pair.first == best]
        not_below = ("undecided", "the same within the margin")
        found = {p.second for p in of_best if p.answer(self.scores.sign, self.scores.margin) in not_below}
        return frozenset({best, *found})

    @property
    def ranked(self) -> list[Summary]:
        """From the best to the worst; those without a number last."""
        order = self.scores.order
        rest = [v for v in range(len(self.summaries)) if v not in order]
        return [self.summaries[v] for v in [*order, *rest]]


@dataclass(frozen=True)
class Analysis:
    """Of a comparison.

    Attributes:
        modalities: Each.
        ranks: Over all of them, or why there are none.
        agreements: Of each two.
    """

    modalities: Sequence[ModalityAnalysis]
    ranks: Ranks | str
    agreements: Sequence[Agreement]


def analyse(table: Table) -> Analysis:
    """Computes all of it.

    Raises:
        CoviewError: If scipy, statsmodels or scikit-posthocs is missing.
    """
    every = [scores_of(table, modality) for modality in table.modalities]
    modalities = [_analyse(scores, table.of(scores.modality)) for scores in every]
    return Analysis(modalities, compare_ranks(every), agreements(every))


def _known(rows: Sequence[Row]) -> list[str]:
    """What the runs themselves say that has to be known with their numbers."""
    leaks = dict.fromkeys(said for row in rows for said in row.leaks)
    stopped = Counter(row.variant for row in rows if row.stopped)
    counted = ", ".join(f"{variant} ({number})" for variant, number in stopped.items())
    return [
        *leaks,
        *other_machines(rows),
        *([f"Runs that were stopped before their last step: {counted}."] if stopped else []),
    ]


def _analyse(scores: Scores, rows: Sequence[Row]) -> ModalityAnalysis:
    summaries, tested = summarise(scores), compare_pairs(scores)
    pairs = tested.pairs
    known = [*cautions(scores, summaries, pairs), *tested.notes, *_known(rows)]
    best = scores.variants[scores.order[0]] if scores.order else None
    above = [] if best is None else gains(scores, best, [row for row in rows if row.variant == best])
    return ModalityAnalysis(
        scores, summaries, pairs, tested.detectable, verdict(scores, summaries, pairs), known, above
    )
