"""What was logged while training, as one small figure for each number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coview.evaluate.diagnostic_names import DIAGNOSTICS, about_diagnostic, is_diagnostic
from coview.pages.svg import MUTED, SERIES, as_svg, new_axes, page_style

_POINTS = 300  # a curve of more is averaged down to as many: more cannot be seen, and would make the page large

_TRAINING = {
    "loss": "What training makes small.",
    "lr": "Learning rate.",
    "samples_per_s": "Samples a second.",
    "unchanged_views": "Share of the first samples' views that equal their original.",
}
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
    with page_style():
        measured = [key for key in dict.fromkeys(key for row in points for key in row) if "/" in key]
        return _draw(metrics, training), _draw(metrics, [*DIAGNOSTICS, *of_pairs]), _draw(points, measured)


def _draw(metrics: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[Curve]:
    curves = []
    for key in keys:
        points = [(row["step"], row[key]) for row in metrics if _is_number(row.get(key))]
        if not points:
            continue
        steps, values = np.array(points, dtype=float).T
        about = _TRAINING.get(key) or about_diagnostic(key)
        curves.append(Curve(key, about, float(values[-1]), _figure(key, steps, values)))
    return curves


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _figure(key: str, steps: np.ndarray, values: np.ndarray) -> str:
    from matplotlib.ticker import EngFormatter, MaxNLocator  # of the extra "report"

    figure, axes = new_axes(3.6, 1.9)
    colour = SERIES["pretrained"]
    bins = np.array_split(np.arange(len(steps)), min(_POINTS, len(steps)))
    x = [steps[bin_].mean() for bin_ in bins]
    if len(steps) > _POINTS:
        low, high = ([pick(values[bin_]) for bin_ in bins] for pick in (np.min, np.max))
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    mean = [values[bin_].mean() for bin_ in bins]
    axes.plot(x, mean, color=colour, linewidth=1.4, marker="o" if len(x) == 1 else "", markersize=4)
    axes.xaxis.grid(visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("step", color=MUTED)
    return as_svg(
        figure,
        f"curve-{''.join(c if c.isalnum() else '-' for c in key)}",
        f"{key} from {values[0]:.4g} at step {steps[0]:.0f} to {values[-1]:.4g} at step {steps[-1]:.0f}",
    )
