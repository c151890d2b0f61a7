"""Results side by side: what is measured beside its controls, a row for each number that was asked for."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coview.evaluate.result import FEATURE_KINDS, FeatureKind, Result


@dataclass
class ResultRow:
    """The results of one evaluator, metric, split and number of labels, of one tower or one way between two.

    Attributes:
        evaluator, metric, dataset, split: What was measured, on what.
        labels: ``10 labels a class``, or ``10% of the labels``, where the evaluator was given fewer than all; otherwise
            empty.
        detail: The parameters in which this row differs from another of the same name, such as ``k=20``.
        by_kind: The result of each kind of features that was measured.
        of: Which of several alike it is, as :attr:`coview.Result.of`.
    """

    evaluator: str
    metric: str
    dataset: str
    split: str
    labels: str
    detail: str = ""
    by_kind: dict[FeatureKind, Result] = field(default_factory=dict)
    of: str = ""

    @property
    def budget(self) -> str:
        """What tells this row from others of its evaluator: the tower, the labels, and the detail."""
        *modality, last = self.of.split("/")
        tower = [*modality, "after the projector"] if last == "projector" else [*modality, last.replace("-", " ")]
        return ", ".join(part for part in (*tower, self.labels, self.detail) if part)

    @property
    def chance(self) -> str:
        """What guessing would give, in words; empty where nobody says."""
        known = next((result.chance for result in self.by_kind.values() if result.chance is not None), None)
        return "" if known is None else f"chance {_number(known)}"


def result_rows(results: Sequence[Result]) -> list[ResultRow]:
    """Groups results into rows, in the order in which they first appear.

    Results stand in one row if they agree in evaluator, tower, metric, data, split and labels; a second one for the
    same kind of features (the evaluator was asked for twice) goes to another row of that name. What a protocol has
    *chosen*, such as a regularisation strength, may differ between the kinds; its other parameters tell
    the rows apart.
    """
    rows: list[ResultRow] = []
    for result in results:
        named = [row for row in rows if _name(row) == _name(result)]
        alike = [row for row in named if result.kind not in row.by_kind]
        same = [row for row in alike if _asked(next(iter(row.by_kind.values()))) == _asked(result)]
        row = next(iter(same or alike), None)
        if row is None:
            labels = _labels(result.protocol)
            row = ResultRow(result.evaluator, result.metric, result.dataset, result.split, labels, of=result.of)
            rows.append(row)
        row.by_kind[result.kind] = result
    names = Counter(_name(row) for row in rows)
    for row in rows:
        if names[_name(row)] > 1:
            row.detail = _difference(row, [other for other in rows if _name(other) == _name(row)])
    return rows


def shown_kinds(results: Iterable[Result]) -> list[FeatureKind]:
    """The columns of a table: what was measured, and its controls, which a pretrained encoder lacks visibly."""
    found = {result.kind for result in results}
    if not found or "pretrained" in found:
        return [kind for kind in FEATURE_KINDS if kind in found or kind != "given"]
    return [kind for kind in FEATURE_KINDS if kind in found or kind == "raw"]


def sample_of(result: Result) -> str:
    """How many test items, and of how many groups: ``1,000 (2 groups)``."""
    return f"{result.n:,}" if result.groups is None else f"{result.n:,} ({result.groups:,} groups)"


def warnings_of(results: Iterable[Result]) -> list[str]:
    """What a reader has to know of some numbers, each once."""
    return list(dict.fromkeys(result.warning for result in results if result.warning))


def interval(result: Result) -> str:
    """The number and its interval: ``0.912 [0.905, 0.919]``; what was counted has none: ``700,176``."""
    value = _number(result.value)
    if math.isnan(result.ci_low):
        return value
    if result.value == result.ci_low == result.ci_high and float(result.value).is_integer() and result.value > 1:
        return value
    return f"{value} [{_number(result.ci_low)}, {_number(result.ci_high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def _name(item: ResultRow | Result) -> tuple[str, str, str, str, str, str]:
    labels = item.labels if isinstance(item, ResultRow) else _labels(item.protocol)
    return item.evaluator, item.metric, item.dataset, item.split, labels, item.of


def _labels(protocol: Mapping[str, Any]) -> str:
    labels = protocol.get("labels_per_class")
    if labels is None:
        return ""
    if labels == "all":
        return "all labels"
    if isinstance(labels, str):
        return f"{labels} of the labels"
    return f"{labels} label a class" if labels == 1 else f"{labels} labels a class"


def _asked(result: Result) -> dict[str, Any]:
    return {key: value for key, value in result.protocol.items() if key not in ("chosen", "labels_per_class")}


def _difference(row: ResultRow, others: Sequence[ResultRow]) -> str:
    asked = _asked(next(iter(row.by_kind.values())))
    every = [_asked(next(iter(other.by_kind.values()))) for other in others]
    differs = [key for key in asked if any(other.get(key) != asked[key] for other in every)]
    return ", ".join(f"{key}={_plain(asked[key])}" for key in differs)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
