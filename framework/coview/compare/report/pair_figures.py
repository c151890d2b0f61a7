"""The interval of each pair's difference, on one axis: what lies beside 0 is decided."""

from __future__ import annotations

import math
from collections.abc import Sequence

from coview.compare.report.answers import answer_in_words
from coview.compare.report.figures import Figure
from coview.compare.statistics.analysis import ModalityAnalysis
from coview.compare.statistics.pair import Pair
from coview.pages.svg import INK, MUTED, RULE, as_svg, new_axes, page_style

MOST_PAIRS = 15
"""Of more, as seven variants have, those of the best variant are drawn; the table has all."""

_LONGEST = 58


def pair_figures(modalities: Sequence[ModalityAnalysis]) -> dict[str, Figure]:
    """By modality; one in which no pair can be tested has none."""
    with page_style():
        return {
            each.scores.modality: Figure(each.scores.modality, _draw(f"pairs-{index}", each, pairs))
            for index, each in enumerate(modalities)
            if (pairs := shown_pairs(each))
        }


def shown_pairs(each: ModalityAnalysis) -> list[Pair]:
    """Those that are drawn: all that have an interval, or those of the best variant where they are many."""
    tested = [pair for pair in each.pairs if math.isfinite(pair.low)]
    if len(tested) <= MOST_PAIRS:
        return tested
    best = each.scores.variants[each.scores.order[0]]
    return [pair for pair in tested if best in (pair.first, pair.second)][:MOST_PAIRS]


def _draw(name: str, each: ModalityAnalysis, pairs: Sequence[Pair]) -> str:
    figure, axes = new_axes(4.0, 0.45 + 0.46 * len(pairs))
    margin, said = each.scores.margin, []
    for height, pair in enumerate(pairs):
        # a line through the whole figure would run through the names
        if margin:
            axes.fill_between([-margin, margin], height - 0.04, height + 0.34, color=RULE, alpha=0.7, linewidth=0)
        axes.plot([0, 0], [height - 0.04, height + 0.34], color=MUTED, linewidth=1.2)
        answer = answer_in_words(each, pair)
        decided = answer != "undecided"
        colour, face = (INK, INK) if decided else (MUTED, "none")
        title = f"{pair.first} − {pair.second}: {answer}"
        shown = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
        axes.text(
            0, height - 0.24, shown, transform=axes.get_yaxis_transform(), va="center", color=colour, fontsize=8.5
        )
        axes.plot([pair.low, pair.high], [height + 0.14] * 2, color=colour, linewidth=2 if decided else 1.2)
        axes.plot(
            [pair.difference], [height + 0.14], color=colour, marker="o", markersize=5, markerfacecolor=face,
            markeredgewidth=1.2,
        )  # fmt: skip
        said.append(f"{title}, {pair.difference:+.3f} from {pair.low:+.3f} to {pair.high:+.3f}")
    axes.set_ylim(len(pairs) - 0.5, -0.6)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.04)
    return as_svg(figure, name, "; ".join(said))
