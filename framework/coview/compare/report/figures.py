"""The figures of a comparison, in the page's own colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coview.compare.statistics.analysis import ModalityAnalysis
from coview.compare.statistics.ranks import Ranks, groups
from coview.compare.table import Row, Table
from coview.evaluate.result import FeatureKind, Result
from coview.experiment.report.forest import Forest, draw_forests
from coview.pages.svg import INK, MARKERS, MUTED, VARIANTS, as_svg, new_axes, page_style
from coview.track.metrics_file import read_metrics
from coview.track.result_rows import ResultRow

_DASHES = ("-", "--", ":", "-.")
_CURVES = ("loss", "effective_rank", "spread")
_POINTS = 60


@dataclass(frozen=True)
class Figure:
    """A figure on the page.

    Attributes:
        title: What it shows.
        svg: The figure.
    """

    title: str
    svg: str


@dataclass(frozen=True)
class Style:
    """How a variant is drawn in every figure: told apart without its colour too.

    Attributes:
        colour: One of the page's eight.
        marker: Matplotlib's letter of its sign.
        dashes: Of its line; another one after each eight variants.
    """

    colour: str
    marker: str
    dashes: str


def style_of(variant: int) -> Style:
    """Of a variant by its place in the comparison, from 0."""
    eight, turn = variant % len(VARIANTS), variant // len(VARIANTS)
    return Style(VARIANTS[eight], MARKERS[eight], _DASHES[turn % len(_DASHES)])


def ranking_figures(modalities: Sequence[ModalityAnalysis], metric: str) -> list[Forest]:
    """The mean of each variant and its interval beside its controls, the best on top; one for each modality."""
    rows = []
    for each in modalities:
        for summary in each.ranked:
            if not summary.seeds:
                continue
            ends = (summary.low, summary.high) if math.isfinite(summary.low) else (summary.mean, summary.mean)
            found: dict[FeatureKind, Result] = {"pretrained": Result(metric, summary.mean, *ends, summary.seeds, "")}
            controls: dict[FeatureKind, float] = {"untrained": summary.untrained, "raw": summary.raw}
            for kind, value in controls.items():
                if math.isfinite(value):
                    found[kind] = Result(metric, value, value, value, summary.seeds, "")
            rows.append(ResultRow(summary.variant, metric, each.scores.modality, "", "", by_kind=found))
    return draw_forests(rows)


def critical_difference(ranks: Ranks) -> str:
    """Mean ranks on a line, the best at the left; a bar joins those that cannot be told apart."""
    order = np.argsort(ranks.rank_V, kind="stable")
    bars = groups(ranks)
    V = len(order)
    depth = 0.9 + 0.28 * len(bars)
    left = math.ceil(V / 2)  # the better half is named at the left, the other at the right
    with page_style():
        figure, axes = new_axes(6.2, 0.75 + 0.2 * len(bars) + 0.25 * left)
        axes.grid(visible=False)
        axes.set_axis_off()
        axes.plot([1, V], [0, 0], color=MUTED, linewidth=1)
        for tick in range(1, V + 1):
            axes.plot([tick, tick], [0, -0.12], color=MUTED, linewidth=1)
            axes.text(tick, -0.22, str(tick), ha="center", va="bottom", color=MUTED)
        for place, variant in enumerate(order):
            rank = ranks.rank_V[variant]
            at_left = place < left
            y = depth + 0.55 * (place if at_left else V - 1 - place)
            end = 0.9 if at_left else V + 0.1
            axes.plot([rank, rank, end], [0, y, y], color=INK, linewidth=0.9)
            label = f"{ranks.variants[variant]}  {rank:.2f}"
            axes.text(
                end + (-0.06 if at_left else 0.06), y, label, va="center", color=INK, ha="right" if at_left else "left"
            )
        for level, (first, last) in enumerate(bars):
            ends = ranks.rank_V[order[first]] - 0.03, ranks.rank_V[order[last]] + 0.03
            axes.plot(ends, [0.4 + 0.28 * level] * 2, color=VARIANTS[0], linewidth=3.5, solid_capstyle="round")
        length = ranks.critical_difference
        if length <= V - 1:
            axes.plot([1, 1 + length], [-1.05, -1.05], color=MUTED, linewidth=1.6)
            axes.text(1 + length + 0.06, -1.05, f"critical difference {length:.2f}", va="center", color=MUTED)
        # names beside the line are as wide as they are: the axis leaves them room, some 14 letters to a rank of three
        room = 0.03 * V * max(len(name) + 6 for name in ranks.variants)
        axes.set_xlim(0.9 - room, V + 0.1 + room)
        axes.set_ylim(depth + 0.55 * left, -1.5)
        said = ", ".join(f"{ranks.variants[v]} {ranks.rank_V[v]:.2f}" for v in order)
        return as_svg(figure, "critical-difference", f"Mean ranks: {said}; critical difference {length:.2f}")


def learning_curves(table: Table) -> list[Figure]:
    """What was logged, the mean over seeds of each variant: one for each modality and number."""
    with page_style():
        return list(_curves(table))


def _curves(table: Table) -> Iterator[Figure]:
    for m, modality in enumerate(table.modalities):
        logged = {
            variant: [read_metrics(row.run.metrics) for row in table.of(modality, variant) if row.run]
            for variant in table.variants
        }
        for key in _CURVES:
            means = {variant: mean for variant, runs in logged.items() if (mean := _mean_curve(runs, key)) is not None}
            if means:
                title = f"{modality}: {key.replace('_', ' ')}"
                yield Figure(title, _curve_figure(f"curve-{m}-{key.replace('_', '-')}", title, means, table.variants))


def _curve_figure(
    name: str, title: str, means: Mapping[str, tuple[np.ndarray, np.ndarray]], variants: Sequence[str]
) -> str:
    from matplotlib.ticker import EngFormatter, MaxNLocator  # of the extra "report"

    figure, axes = new_axes(3.6, 1.9)
    for variant, (steps, values) in means.items():
        style = style_of(variants.index(variant))
        marker = "o" if len(steps) == 1 else ""
        axes.plot(steps, values, color=style.colour, linewidth=1.4, linestyle=style.dashes, marker=marker, markersize=4)
    axes.xaxis.grid(visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("step", color=MUTED)
    ends = ", ".join(f"{variant} {values[-1]:.4g}" for variant, (_, values) in means.items())
    return as_svg(figure, name, f"{title}, at the end: {ends}")


def _mean_curve(runs: Sequence[Sequence[Mapping[str, Any]]], key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The mean over the runs at each step that is logged, over as many stretches of steps as can be seen."""
    points: dict[int, list[float]] = {}
    for row in (row for run in runs for row in run):
        if isinstance(row.get(key), int | float) and math.isfinite(row[key]):
            points.setdefault(row["step"], []).append(float(row[key]))
    if not points:
        return None
    steps = np.array(sorted(points), dtype=float)
    values = np.array([np.mean(points[int(step)]) for step in steps])
    stretches = np.array_split(np.arange(len(steps)), min(_POINTS, len(steps)))
    return np.array([steps[s].mean() for s in stretches]), np.array([values[s].mean() for s in stretches])


def cost_figures(table: Table, modalities: Sequence[ModalityAnalysis]) -> list[Figure]:
    """Training time against the number that ranks; a line joins what no other variant beats in both."""
    with page_style():
        return [
            figure for index, each in enumerate(modalities) if (figure := _cost_figure(index, table, each)) is not None
        ]


def cost_of(rows: Sequence[Row]) -> float:
    """The mean training time of the runs that have a number; NaN where none is known."""
    times = [row.seconds for row in rows if row.status == "done" and row.seconds is not None]
    return sum(times) / len(times) if times else math.nan


def pareto(points: Sequence[tuple[float, float]], *, sign: int = 1) -> list[int]:
    """The points that no other beats or equals in both cost and value, from the cheapest on; -1: lower is better."""
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -sign * points[index][1]))
    best, front = -math.inf, []
    for index in order:
        if sign * points[index][1] > best:
            front.append(index)
            best = sign * points[index][1]
    return front


def _cost_figure(index: int, table: Table, each: ModalityAnalysis) -> Figure | None:
    modality = each.scores.modality
    found = {
        summary.variant: (cost, summary)
        for summary in each.summaries
        if summary.seeds and math.isfinite(cost := cost_of(table.of(modality, summary.variant)))
    }
    if not found:
        return None
    points = [(cost, summary.mean) for cost, summary in found.values()]
    figure, axes = new_axes(4.0, 2.6)
    front = [points[place] for place in pareto(points, sign=each.scores.sign)]
    axes.step(*zip(*front, strict=True), where="post", color=MUTED, linewidth=1, linestyle="--")
    for variant, (cost, summary) in found.items():
        style = style_of(table.variants.index(variant))
        if math.isfinite(summary.low):
            axes.plot([cost, cost], [summary.low, summary.high], color=style.colour, linewidth=1.3)
        axes.plot([cost], [summary.mean], color=style.colour, marker=style.marker, markersize=6)
    axes.margins(x=0.1, y=0.1)
    axes.set_xlim(left=0)  # a tenth more is to look like a tenth more
    axes.set_xlabel("seconds of training", color=MUTED)
    axes.set_ylabel(table.metric, color=MUTED)
    said = ", ".join(f"{variant} {cost:.0f} s {summary.mean:.3f}" for variant, (cost, summary) in found.items())
    return Figure(modality, as_svg(figure, f"cost-{index}", said))
