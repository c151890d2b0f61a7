"""One number, with its uncertainty and everything that defines it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Result:
    """A number that an evaluator found.

    Attributes:
        metric: Such as ``accuracy``.
        value: The number.
        ci_low, ci_high: Its 95 % interval; what would reach beyond the bounds ends there.
        n: How many test items it rests on.
        split: The split it was measured on.
        protocol: Everything that defines the number: every parameter, the labels used, the draws, how the
            hyper-parameters are chosen, the interval's method. JSON values only. What was chosen by it goes
            under ``chosen``: it is an outcome, and may differ between features that one protocol compares.
        per_item: The number of each test item, of which ``value`` is the mean, where it is one: whether the item was
            classified rightly, averaged over draws. Kept beside ``results.json``, so that a comparison can resample
            items. In the order of the split.
        better: Whether a higher number or a lower one is better: by it a comparison ranks.
        bounds: The smallest and the largest value that the number can have; None where it has no bound.
        evaluator, dataset, features: Filled in by coview: which evaluator, on which data, with ``pretrained``,
            ``untrained`` or ``raw`` features.
    """

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    split: str
    protocol: Mapping[str, Any] = field(default_factory=dict)
    evaluator: str = ""
    dataset: str = ""
    features: str = ""
    per_item: np.ndarray | None = field(default=None, repr=False, compare=False)
    better: Literal["higher", "lower"] = "higher"
    bounds: tuple[float | None, float | None] = (None, None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ci_low", within(self.ci_low, self.bounds))
        object.__setattr__(self, "ci_high", within(self.ci_high, self.bounds))

    @property
    def protocol_hash(self) -> str:
        """Twelve hex digits: two numbers may be compared only if they agree in it."""
        protocol = {key: value for key, value in self.protocol.items() if key != "chosen"}
        text = json.dumps([self.evaluator, self.dataset, self.metric, self.split, protocol], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """A row of ``results.json``."""
        row = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "per_item"}
        return {**row, "protocol": dict(self.protocol), "protocol_hash": self.protocol_hash}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Result:
        """A row of ``results.json``, read back.

        Raises:
            KeyError, TypeError, ValueError: If it is not complete.
        """
        later = {"better": row.get("better", "higher"), "bounds": tuple(row.get("bounds", (None, None)))}
        known = {item.name: row[item.name] for item in fields(cls) if item.name not in {"per_item", *later}}
        known |= later  # which earlier runs have not
        for number in ("value", "ci_low", "ci_high"):
            known[number] = math.nan if known[number] is None else float(known[number])
        return cls(**known)


def within(value: float, bounds: tuple[float | None, float | None]) -> float:
    """The value, or the bound that it is beyond; NaN stays NaN."""
    lowest, highest = bounds
    if lowest is not None and value < lowest:
        return lowest
    return highest if highest is not None and value > highest else value
