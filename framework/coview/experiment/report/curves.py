"""What was logged while training, as one small figure for each number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coview.evaluate.diagnostic_names import DIAGNOSTICS, about_diagnostic, is_diagnostic
from coview.pages.svg import MUTED, SERIES, as_svg, new_axes, page_style, room_of_ticks

_POINTS = 300  # a curve of more is averaged down to as many: more cannot be seen, and would make the page large

_TRAINING = {
    "loss": "What training makes small.",
    "lr": "Learning rate.",
    "samples_per_s": "Samples a second.",
    "unchanged_views": "Share of the first samples' views that equal their original.",
}
_WIDTH, _HEIGHT = 3.6, 1.9
"""Of a figure, in inches."""
_AXES = frozenset({"step", "epoch", "time"})


@dataclass(frozen=True)
class Curve:
    """One number over the steps.

    Attributes:
        name: Its key in ``metrics.jsonl``.
        about: What it says, in a sentence; may be empty.
        last: Its last finite value.
        svg: The figure.
    """

    name: str
    about: str
    last: float
    svg: str


def draw_curves(
    metrics: Sequence[Mapping[str, Any]], points: Sequence[Mapping[str, Any]]
) -> tuple[list[Curve], list[Curve], list[Curve]]:
    """The curves of training, those of the diagnostics, and those of what was measured on validation meanwhile.

    Args:
        metrics: The lines of training.
        points: Those of what was measured.
    """
    logged = dict.fromkeys(key for row in metrics for key in row if key not in _AXES)
    others = [key for key in logged if key not in _TRAINING and not is_diagnostic(key)]
    of_pairs = [key for key in logged if key not in DIAGNOSTICS and is_diagnostic(key)]
    training = ["loss", *others, "lr", "samples_per_s"]
    measured = [key for key in dict.fromkeys(key for row in points for key in row) if "/" in key]
    with page_style():
        into = _Figure()
        diagnostics = _draw(into, metrics, [*DIAGNOSTICS, *of_pairs])
        return _draw(into, metrics, training), diagnostics, _draw(into, points, measured)


def _draw(into: _Figure, metrics: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Curve]:
    curves = []
    for key in keys:
        points = [(row["step"], row[key]) for row in metrics if _is_number(row.get(key))]
        if not points:
            continue
        steps, values = np.array(points, dtype=float).T
        about = _TRAINING.get(key) or about_diagnostic(key)
        curves.append(Curve(key, about, float(values[-1]), into.curve(key, steps, values)))
    return curves


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _Figure:
    """What each curve is drawn into, one after the other: new axes for each would cost more than all else."""

    def __init__(self) -> None:
        from matplotlib.ticker import EngFormatter, MaxNLocator  # of the extra "report"

        self._figure, self._axes = new_axes(_WIDTH, _HEIGHT, makes_room=False)
        self._axes.xaxis.grid(visible=False)
        # few ticks, and names of axes that need not look for their place: those are most of the time to draw a curve
        self._axes.yaxis.set_major_locator(MaxNLocator(3))
        self._axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        self._axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        self._axes.tick_params(axis="y", left=False)
        self._axes.set_xlabel("step", color=MUTED)
        for axis in (self._axes.xaxis, self._axes.yaxis):
            axis.set_label_coords(0.5, 14 / (72 * _HEIGHT), transform=self._figure.transFigure)

    def curve(self, key: str, steps: np.ndarray, values: np.ndarray) -> str:
        """The curve as SVG."""
        axes, colour = self._axes, SERIES["pretrained"]
        for drawn in (*axes.lines, *axes.collections):
            drawn.remove()
        axes.relim()
        bins = np.array_split(np.arange(len(steps)), min(_POINTS, len(steps)))
        x = [steps[bin_].mean() for bin_ in bins]
        if len(steps) > _POINTS:
            low, high = ([pick(values[bin_]) for bin_ in bins] for pick in (np.min, np.max))
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        mean = [values[bin_].mean() for bin_ in bins]
        axes.plot(x, mean, color=colour, linewidth=1.4, marker="o" if len(x) == 1 else "", markersize=4)
        self._make_room()
        return as_svg(
            self._figure,
            f"curve-{''.join(c if c.isalnum() else '-' for c in key)}",
            f"{key} from {values[0]:.4g} at step {steps[0]:.0f} to {values[-1]:.4g} at step {steps[-1]:.0f}",
        )

    def _make_room(self) -> None:
        width, has_factor = room_of_ticks(self._axes.yaxis)
        self._figure.subplots_adjust(
            left=(width + 7) / (72 * _WIDTH),
            right=1 - 5 / (72 * _WIDTH),
            bottom=33 / (72 * _HEIGHT),
            top=1 - (16 if has_factor else 6) / (72 * _HEIGHT),
        )
