"""One number, with its uncertainty and everything that defines it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

from coview.errors import CoviewError
from coview.evaluate.paired import Paired

if TYPE_CHECKING:
    import numpy as np


_ROUNDING = 1e-6
_ARRAYS = frozenset({"per_item", "item_groups", "per_draw"})
"""What is no part of a row of ``results.json``."""

FeatureKind = Literal["pretrained", "given", "untrained", "raw"]
"""Whose features a number is of: the pretrained encoder's, those of one that is measured as it came (nothing says
whether its weights are trained), of one at random weights, or the data's own."""

FEATURE_KINDS: tuple[FeatureKind, ...] = get_args(FeatureKind)
"""What is measured first, and then its controls."""


def measured_kind(kinds: Iterable[FeatureKind]) -> FeatureKind:
    """Of all kinds that a run has numbers of the one that it is about; the others are its controls.

    That is the pretrained encoder, or where nothing was pretrained the one that was given, trained or not.
    """
    found = set(kinds)
    return next((kind for kind in FEATURE_KINDS if kind in found), "pretrained")


class ResultError(CoviewError, ValueError):
    """A result that means nothing: the mistake of the evaluator that made it, which has no number then."""


@dataclass(frozen=True)
class Result:
    """A number that an evaluator found.

    Attributes:
        metric: Such as ``accuracy``.
        value: The number.
        ci_low, ci_high: Its 95 % interval, which ends at the bounds; both are NaN where there is none.
        n: How many test items it rests on.
        split: The split it was measured on.
        protocol: Everything that defines the number: every parameter, the labels used, the draws, how the
            hyper-parameters are chosen, the interval's method. JSON values only. What was chosen by it goes
            under ``chosen``: it is an outcome, and may differ between kinds of features that one protocol compares.
        per_item: The number of each test item, of which ``value`` is the mean, where it is one: whether the item was
            classified rightly, averaged over draws. Kept beside ``results.json``, so that a comparison can resample
            items. In the order of the split.
        item_groups: The number of the group that each test item is of, where there are several groups: kept with
            ``per_item``, so that whole groups are resampled.
        per_draw: The number of each draw of labels, where ``value`` is their mean; not kept.
        groups: How many groups the test items are of; None where there are none, or one. By ``item_groups`` where
            these are given.
        better: Whether a higher number or a lower one is better: by it a comparison ranks.
        bounds: The smallest and the largest value that the number can have; None where it has no bound.
        evaluator, dataset, kind: Filled in by coview: which evaluator, on which data, and whose features, one of
            ``FEATURE_KINDS``.
        against: Filled in by coview: of a control, the test of what is measured against it, where there is
            ``per_item`` of both.
        warning: Filled in by coview: what a reader has to know of this number; mostly nothing.
        of: Which of several alike it is, such as ``text-to-image``: part of its name, and of no hash. Where it is empty
            coview fills in the tower, unless that is the first before its projector: ``text``, ``text/projector``.
        chance: What guessing would give on these test items, where that is known.
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
    kind: FeatureKind = "pretrained"
    per_item: np.ndarray | None = field(default=None, repr=False, compare=False)
    better: Literal["higher", "lower"] = "higher"
    bounds: tuple[float | None, float | None] = (None, None)
    item_groups: np.ndarray | None = field(default=None, repr=False, compare=False)
    per_draw: np.ndarray | None = field(default=None, repr=False, compare=False)
    groups: int | None = None
    against: Paired | None = None
    warning: str = ""
    of: str = ""
    chance: float | None = None

    def __post_init__(self) -> None:
        """Checks itself, so that a number that means nothing shows where it is made.

        Raises:
            ResultError: If the value is not finite, is beyond its bounds or outside its interval, there is no test
                item, ``per_item`` is of another length than ``n``, the protocol does not consist of JSON values, or
                one of them is of another type than its annotation's.
        """
        if problem := self._wrong_type() or self._problem():
            raise ResultError(f"the result {self.metric!r}: {problem}")
        for name in ("value", "ci_low", "ci_high"):  # NumPy's numbers are not JSON
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.item_groups is not None:
            object.__setattr__(self, "groups", int(self.item_groups.max()) + 1)
        object.__setattr__(self, "ci_low", within(self.ci_low, self.bounds))
        object.__setattr__(self, "ci_high", within(self.ci_high, self.bounds))

    def _wrong_type(self) -> str:
        for name in ("metric", "split", "evaluator", "dataset", "of"):
            if not isinstance(getattr(self, name), str):
                return f"{name} has to be a text, got {getattr(self, name)!r}"
        for name in ("value", "ci_low", "ci_high", *(() if self.chance is None else ("chance",))):
            if not isinstance(getattr(self, name), Real):
                return f"{name} has to be a number, got {getattr(self, name)!r}"
        if self.better not in ("higher", "lower"):
            return f'better has to be "higher" or "lower", got {self.better!r}'
        bounds: Any = self.bounds
        if not (isinstance(bounds, tuple) and len(bounds) == 2):
            return f"bounds has to be two numbers, or None in place of one, got {bounds!r}"
        return ""

    def _problem(self) -> str:
        if not isinstance(self.n, int) or self.n < 1:
            return f"n has to be a whole number of at least 1, got {self.n!r}"
        if not math.isfinite(self.value):
            return f"the value has to be finite, got {self.value}"
        slack = _ROUNDING * max(1.0, abs(self.value))
        if self.chance is not None and not math.isfinite(self.chance):
            return f"chance has to be finite, got {self.chance}"
        if abs(within(self.value, self.bounds) - self.value) > slack:
            return f"{self.value} is beyond its bounds {self.bounds}"
        has_interval = not (math.isnan(self.ci_low) and math.isnan(self.ci_high))
        if has_interval and not self.ci_low - slack <= self.value <= self.ci_high + slack:
            return f"{self.value} is outside its own interval [{self.ci_low}, {self.ci_high}]"
        for name in ("per_item", "item_groups"):
            of_items = getattr(self, name)
            if of_items is not None and of_items.shape != (self.n,):
                return f"{name} has the shape {of_items.shape}, and n is {self.n}"
        try:
            json.dumps(dict(self.protocol), allow_nan=False)
        except (TypeError, ValueError) as error:
            return f"the protocol has to consist of JSON values: {error}"
        return ""

    @property
    def name(self) -> str:
        """``EVALUATOR/METRIC``, with ``@LABELS`` where it was given so many labels a class and not all of them.

        Where it is one of several alike, ``EVALUATOR/OF/METRIC``: ``knn/text/accuracy``.
        """
        labels = self.protocol.get("labels_per_class", "all")
        named = "/".join(filter(None, (self.evaluator, self.of, self.metric)))
        return named + ("" if labels == "all" else f"@{labels}")

    @property
    def protocol_hash(self) -> str:
        """Twelve hex digits: two numbers may be compared only if they agree in it."""
        protocol = {key: value for key, value in self.protocol.items() if key != "chosen"}
        text = json.dumps([self.evaluator, self.dataset, self.metric, self.split, protocol], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """A row of ``results.json``."""
        row = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in _ARRAYS}
        row["against"] = None if self.against is None else asdict(self.against)
        ends = {name: None if math.isnan(row[name]) else row[name] for name in ("ci_low", "ci_high")}
        return {**row, **ends, "protocol": dict(self.protocol), "protocol_hash": self.protocol_hash}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Result:
        """A row of ``results.json``, read back.

        Raises:
            KeyError, TypeError, ValueError: If it is not complete.
        """
        later = {"better": row.get("better", "higher"), "bounds": tuple(row.get("bounds", (None, None)))}
        later["kind"] = row["kind"] if "kind" in row else row["features"]
        later |= {"groups": row.get("groups"), "warning": row.get("warning", "")}
        later |= {"of": row.get("of", ""), "chance": row.get("chance")}
        later["against"] = Paired(**row["against"]) if row.get("against") else None
        known = {item.name: row[item.name] for item in fields(cls) if item.name not in {*_ARRAYS, *later}}
        known |= later  # which runs of earlier versions do not have, or call otherwise
        if not all(isinstance(known[name], str) for name in ("metric", "split", "evaluator", "dataset")):
            raise TypeError("a name is not a text")
        if known["kind"] not in FEATURE_KINDS:
            raise ValueError(f"kind {known['kind']!r}")
        known["value"] = float(known["value"])
        for end in ("ci_low", "ci_high"):
            known[end] = math.nan if known[end] is None else float(known[end])
        return cls(**known)


def within(value: float, bounds: tuple[float | None, float | None]) -> float:
    """The value, or the bound that it is beyond; NaN stays NaN."""
    lowest, highest = bounds
    if lowest is not None and value < lowest:
        return lowest
    return highest if highest is not None and value > highest else value
