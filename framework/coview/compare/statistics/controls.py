"""How far the best variant is above its controls: by the same seeds and the same test items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coview.compare.statistics.best_of import half_widths, quantile_of
from coview.compare.statistics.scores import Scores, items_of
from coview.compare.statistics.summary import error_of
from coview.compare.table import Row
from coview.evaluate.intervals import mean_variance
from coview.evaluate.result import within

Control = Literal["untrained", "raw"]
CONTROLS: tuple[Control, ...] = ("untrained", "raw")


@dataclass(frozen=True)
class Gain:
    """A variant less a control.

    Attributes:
        control: Which.
        difference: The mean over the seeds that have both.
        low, high: Its 95 % interval, for the variant that has been chosen as the best; NaN where there is none.
        seeds: How many have both.
    """

    control: Control
    difference: float
    low: float
    high: float
    seeds: int

    def answer(self, sign: int) -> Literal["above", "below", "undecided"]:
        """Whether the interval excludes 0, and on which side; above is better.

        Args:
            sign: 1 where a higher number is better, else -1.
        """
        if not math.isfinite(self.low) or self.low <= 0 <= self.high:
            return "undecided"
        return "above" if sign * self.difference > 0 else "below"


def gains(scores: Scores, variant: str, rows: Sequence[Row]) -> list[Gain]:
    """Of the best variant against each control that was measured.

    The error is that of the difference, run by run: what is easy for both is no evidence, and a test item counts with
    how differently the two did on it, where numbers of single items were kept. The best of several equal variants seems
    to be above them all: the interval is as wide as it has to be for that (:mod:`coview.compare.statistics.best_of`).

    Args:
        scores: Of the modality.
        variant: The best one.
        rows: Its cells.
    """
    v = scores.variants.index(variant)
    by_seed = {row.seed: row for row in rows}
    found = []
    for control, control_VS in zip(CONTROLS, (scores.untrained_VS, scores.raw_VS), strict=True):
        difference_VS = scores.value_VS - control_VS
        difference_S = difference_VS[v]
        there = np.flatnonzero(np.isfinite(difference_S))
        if not len(there):
            continue
        items_SN = _items(scores, v, there, [by_seed[scores.seeds[s]] for s in there], control)
        value_S = difference_S[there]
        half = _half(scores, v, value_S, items_SN, difference_VS)
        mean = float(value_S.mean())
        low, high = (within(end, _of_differences(scores.bounds)) for end in (mean - half, mean + half))
        found.append(Gain(control, mean, low, high, len(there)))
    return found


def _of_differences(bounds: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    """Between which the difference of two numbers lies; None where these have no bounds."""
    lowest, highest = bounds
    if lowest is None or highest is None:
        return None, None
    return lowest - highest, highest - lowest


def _half(scores: Scores, v: int, value_S: np.ndarray, items_SN: np.ndarray | None, difference_VS: np.ndarray) -> float:
    """Half the interval's width; NaN where there is none."""
    error, freedom, _ = error_of(value_S, items_SN, scores.groups)
    if not error > 0:  # no error at all is no certainty: it is of seeds that are all alike
        return math.nan
    compared = np.flatnonzero(np.isfinite(difference_VS).any(1))
    half_V = half_widths(difference_VS[compared]) if len(value_S) > 1 else None
    if half_V is None:
        return error * quantile_of(len(compared), freedom)
    of_seeds = float(half_V[np.flatnonzero(compared == v)[0]])
    if items_SN is None:
        return of_seeds
    of_items, freedom = mean_variance(items_SN.mean(0), scores.groups)
    return math.hypot(of_seeds, math.sqrt(of_items) * quantile_of(len(compared), freedom))


def _items(scores: Scores, v: int, there: np.ndarray, rows: Sequence[Row], control: Control) -> np.ndarray | None:
    """How much better each run did on each test item than the control; None unless it is there for every run."""
    if scores.items_VSN is None:
        return None
    of_control = [items_of(row, control) for row in rows]
    of_runs = scores.items_VSN[v, there]
    if any(items is None or items.shape != of_runs.shape[1:] for items in of_control):
        return None
    difference_SN: np.ndarray = of_runs.astype(np.float64) - np.stack([i for i in of_control if i is not None])
    return difference_SN
