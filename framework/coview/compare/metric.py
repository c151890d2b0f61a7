"""Which of its numbers a comparison ranks by."""

from __future__ import annotations

from collections.abc import Sequence

from coview.evaluate.result import Result
from coview.recipe.comparison import Comparison


def ranking_metric(comparison: Comparison, read: Sequence[Sequence[Result]]) -> str:
    """The metric in full, with its labels where the comparison leaves them out."""
    asked = comparison.metric
    if asked is None:
        evaluators = [table.use.split("/")[-1] for table in comparison.cells[0].recipe.evaluate[:1]]
        first = next((result for results in read for result in results if result.evaluator in evaluators), None)
        first = first or next((result for results in read for result in results), None)
        return name_of(first) if first else "/".join([*evaluators, "the first metric"])
    if "@" not in asked:
        for results in read:
            for result in results:
                if names(asked, result):
                    return name_of(result)
    return asked


def name_of(result: Result) -> str:
    """``EVALUATOR/METRIC``, with ``@LABELS`` where it was given so many labels a class."""
    labels = result.protocol.get("labels_per_class")
    return f"{result.evaluator}/{result.metric}" + ("" if labels is None else f"@{labels}")


def names(metric: str, result: Result) -> bool:
    """Whether the metric, in full or without labels, is this number."""
    name = name_of(result)
    return metric == name or ("@" not in metric and metric == name.partition("@")[0])


def available(read: Sequence[Sequence[Result]]) -> list[str]:
    """Every number that a run has."""
    return list(dict.fromkeys(name_of(result) for results in read for result in results))
