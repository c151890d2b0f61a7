"""Values and their intervals on one axis: what is measured above its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coview.evaluate.result import FEATURE_KINDS
from coview.pages.svg import INK, RULE, SERIES, as_svg, new_axes, page_style, room_of_ticks
from coview.track.result_rows import ResultRow, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {"pretrained": "o", "given": "o", "untrained": "D", "raw": "s"}  # told apart without colour too
_WIDTH = 4.0
"""Of a figure, in inches."""
_LONGEST = 58
"""Letters of a row's name: more are wider than the figure, which then has no room for its axes."""
_OFFSETS = {"pretrained": -0.08, "given": -0.08, "untrained": 0.12, "raw": 0.32}


@dataclass(frozen=True)
class Forest:
    """The numbers of one metric.

    Attributes:
        title: The metric, the data and the split.
        svg: The figure.
    """

    title: str
    svg: str


def draw_forests(rows: Sequence[ResultRow]) -> list[Forest]:
    """A figure for each metric on each data set and split."""
    groups: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in rows:
        groups.setdefault((row.metric, row.dataset, row.split), []).append(row)
    with page_style():
        return [
            Forest(f"{metric}, {dataset} {split}", _figure(f"forest-{number}", group))
            for number, ((metric, dataset, split), group) in enumerate(groups.items())
        ]


def _figure(name: str, rows: Sequence[ResultRow]) -> str:
    height_of_figure = 0.4 + 0.68 * len(rows)
    figure, axes = new_axes(_WIDTH, height_of_figure, makes_room=False)
    said = []
    for height, row in enumerate(rows):
        if height:
            axes.axhline(height - 0.5, color=RULE, linewidth=0.5)
        title = ", ".join(part for part in (row.evaluator, row.budget) if part)
        beside = axes.get_yaxis_transform()
        shown = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
        axes.text(0, height - 0.32, shown, transform=beside, va="center", color=INK, fontsize=9)
        for kind in FEATURE_KINDS:
            result = row.by_kind.get(kind)
            if result is None:
                continue
            colour, y = SERIES[kind], height + _OFFSETS[kind]
            axes.plot([result.ci_low, result.ci_high], [y, y], color=colour, linewidth=1.6)
            axes.plot([result.value], [y], color=colour, marker=_MARKERS[kind], markersize=4.5, linestyle="")
            said.append(f"{title} {kind} {interval(result)}")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.04)
    _make_room(figure, axes, height_of_figure)
    return as_svg(figure, name, "; ".join(said))


def _make_room(figure: Figure, axes: Axes, height: float) -> None:
    """Sets the margins: beside the axes is half a label of a tick, and below them a factor."""
    width, has_factor = room_of_ticks(axes.xaxis)
    aside = (3 + width / 2) / (72 * _WIDTH)
    bottom = (29 if has_factor else 18) / (72 * height)
    figure.subplots_adjust(left=aside, right=1 - aside, bottom=bottom, top=1 - 3 / (72 * height))
