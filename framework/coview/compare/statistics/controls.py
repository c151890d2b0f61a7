"""How far a variant is above its controls: by the same seeds and the same test items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from coview.compare.statistics.scores import Scores, items_of
from coview.compare.statistics.summary import error_of
from coview.compare.table import Row

Control = Literal["untrained", "raw"]
CONTROLS: tuple[Control, ...] = ("untrained", "raw")


@dataclass(frozen=True)
class Gain:
    """A variant less a control.

    Attributes:
        control: Which.
        difference: The mean over the seeds that have both.
        low, high: Its 95 % interval, of this variant and control alone; NaN where there is none.
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
    """Of a variant against each control that was measured.

    The error is that of the difference, run by run: what is easy for both is no evidence, and a test item counts with
    how differently the two did on it, where numbers of single items were kept.

    Args:
        scores: Of the modality.
        variant: Whose.
        rows: Its cells.
    """
    v = scores.variants.index(variant)
    by_seed = {row.seed: row for row in rows}
    found = []
    for control, control_VS in zip(CONTROLS, (scores.untrained_VS, scores.raw_VS), strict=True):
        difference_S = scores.value_VS[v] - control_VS[v]
        there = np.flatnonzero(np.isfinite(difference_S))
        if not len(there):
            continue
        items_SN = _items(scores, v, there, [by_seed[scores.seeds[s]] for s in there], control)
        value_S = difference_S[there]
        error, freedom, _ = error_of(value_S, items_SN, scores.groups)
        # no error at all is no certainty: it is of seeds that are all alike
        half = error * float(stats.t.ppf(0.975, freedom)) if error > 0 else math.nan
        mean = float(value_S.mean())
        found.append(Gain(control, mean, mean - half, mean + half, len(there)))
    return found


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
