"""What runs measured on validation while they trained: each variant's mean over seeds, and how far seeds spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coview.compare.report.figures import Figure, style_of
from coview.compare.table import Row, Table
from coview.pages.svg import MUTED, SERIES, as_svg, new_axes, page_style
from coview.track.metrics_file import read_metrics, split_lines

NO_CURVES = (
    'No run has measured on validation while it trained. every = "2 epochs" in an [[evaluate]] of the recipe makes '
    "runs do so; existing runs are not trained again for it."
)

_MOST_MARKED = 12
"""Points that are drawn with the variant's sign each; of more, only the line is seen."""


@dataclass(frozen=True)
class MeanCurve:
    """One number of a variant while it trained.  T step

    Attributes:
        steps: That every seed has measured after, in order; 0 is before the first step.
        mean_T: Over seeds.
        sd_T: Between seeds; NaN for one.
        seeds: How many have measured.
        runs: How many there are.
        before: By seed the number before the first step.
    """

    steps: np.ndarray
    mean_T: np.ndarray
    sd_T: np.ndarray
    seeds: int
    runs: int
    before: Mapping[str, float]


@dataclass(frozen=True)
class ValidationCurves:
    """What the page shows of them.

    Attributes:
        ranking: Of the number that ranks, one figure for each modality that has measured it.
        others: Of every other number.
        notes: What is not there, and what has to be known, a sentence for each.
    """

    ranking: Sequence[Figure]
    others: Sequence[Figure]
    notes: Sequence[str]


def validation_curves(table: Table) -> ValidationCurves:
    """A figure for each number and modality that runs have measured on validation while they trained.

    Raises:
        CoviewError: If a run's ``metrics.jsonl`` is damaged.
    """
    ranking: list[Figure] = []
    others: list[Figure] = []
    notes: list[str] = []
    with page_style():
        for m, modality in enumerate(table.modalities):
            points = [(row, _points(row)) for row in table.of(modality) if row.run]
            numbers = dict.fromkeys(name for _, of_run in points for name in of_run)
            for n, number in enumerate(sorted(numbers, key=lambda name: name != table.metric)):
                curves = {
                    variant: curve
                    for variant in table.variants
                    if (curve := mean_curve(points, variant, number)) is not None
                }
                if not curves:
                    continue
                is_ranking = number == table.metric
                title = modality if is_ranking else f"{modality}: {number}"
                figure = Figure(title, _draw(f"validation-{m}-{n}", f"{modality}, {number}", curves, table.variants))
                (ranking if is_ranking else others).append(figure)
                if is_ranking:
                    notes += [f"{modality}: {said}" for said in _notes(table, modality, curves)]
    if not ranking and not others:
        notes = [NO_CURVES] if any(row.run for row in table.rows) else []
    elif not ranking:
        notes = [f"{table.metric}, by which variants are ranked, was not measured while runs trained."]
    return ValidationCurves(ranking, others, notes)


def mean_curve(
    points: Sequence[tuple[Row, Mapping[str, Mapping[int, float]]]], variant: str, number: str
) -> MeanCurve | None:
    """The mean over seeds, at the steps that every seed has measured after: it is of the same seeds from end to end.

    Args:
        points: Each run of a modality, and its numbers by name and step.
        variant: Whose.
        number: Its name.
    """
    own = [(row, of_run) for row, of_run in points if row.variant == variant]
    measured = [(row, of_run[number]) for row, of_run in own if of_run.get(number)]
    if not measured:
        return None
    steps = sorted(set.intersection(*(set(by_step) for _, by_step in measured)))
    if not steps:
        return None
    value_ST = np.array([[by_step[step] for step in steps] for _, by_step in measured])
    sd_T = value_ST.std(0, ddof=1) if len(measured) > 1 else np.full(len(steps), math.nan)
    before = {row.seed: by_step[0] for row, by_step in measured if 0 in by_step}
    return MeanCurve(np.array(steps), value_ST.mean(0), sd_T, len(measured), len(own), before)


def _points(row: Row) -> dict[str, dict[int, float]]:
    """What a run measured on validation: by name and step."""
    assert row.run is not None
    found: dict[str, dict[int, float]] = {}
    for line in split_lines(read_metrics(row.run.metrics))[1]:
        for name, value in line.items():
            if "/" in name and isinstance(value, int | float) and math.isfinite(value):
                found.setdefault(name, {})[line["step"]] = float(value)
    return found


def _notes(table: Table, modality: str, curves: Mapping[str, MeanCurve]) -> list[str]:
    """What keeps a figure from showing all that it could."""
    said = []
    if lacking := [name for name in table.variants if table.of(modality, name) and name not in curves]:
        said.append(f"{', '.join(lacking)}: no run has measured while it trained.")
    said += [
        f"{name}: {curve.seeds} of {curve.runs} runs have measured while they trained."
        for name, curve in curves.items()
        if curve.seeds < curve.runs
    ]
    if all(curve.seeds == 1 for curve in curves.values()):
        said.append("one seed, so there are no bands.")
    raw = [value for row in table.of(modality) if math.isfinite(value := row.value("raw"))]
    if raw:
        said.append(f"raw features are not measured on validation; on test their value is {sum(raw) / len(raw):.3f}.")
    return said


def _begin(curves: Mapping[str, MeanCurve]) -> float:
    """Where all variants begin; NaN where they do not begin alike, as encoders of several widths do not."""
    by_seed: dict[str, float] = {}
    for curve in curves.values():
        for seed, value in curve.before.items():
            if not math.isclose(by_seed.setdefault(seed, value), value, rel_tol=1e-6):
                return math.nan
    return sum(by_seed.values()) / len(by_seed) if by_seed else math.nan


def _draw(name: str, title: str, curves: Mapping[str, MeanCurve], variants: Sequence[str]) -> str:
    from matplotlib.ticker import EngFormatter, MaxNLocator  # of the extra "report"

    figure, axes = new_axes(4.0, 2.6)
    begin = _begin(curves)
    if math.isfinite(begin):
        axes.axhline(begin, color=SERIES["untrained"], linewidth=1.1, linestyle="--")
    for variant, curve in curves.items():
        style = style_of(variants.index(variant))
        if curve.seeds > 1:
            low_T, high_T = curve.mean_T - curve.sd_T, curve.mean_T + curve.sd_T
            axes.fill_between(curve.steps, low_T, high_T, color=style.colour, alpha=0.16, linewidth=0)
        marker = style.marker if len(curve.steps) <= _MOST_MARKED else ""
        axes.plot(
            curve.steps, curve.mean_T, color=style.colour, linestyle=style.dashes, linewidth=1.5, marker=marker,
            markersize=4.5,
        )  # fmt: skip
    axes.xaxis.grid(visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("step", color=MUTED)
    ends = ", ".join(
        f"{variant} {curve.mean_T[-1]:.3f} at step {curve.steps[-1]:,}" for variant, curve in curves.items()
    )
    return as_svg(figure, name, f"{title} on validation: {ends}")
