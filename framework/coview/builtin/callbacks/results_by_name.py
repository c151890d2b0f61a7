"""What a run has reached, as flat names and numbers, for trackers."""

from __future__ import annotations

from collections.abc import Sequence

from coview.evaluate.result import Result, measured_kind


def results_by_name(results: Sequence[Result]) -> dict[str, float]:
    """``knn/accuracy`` of what is measured, and ``knn/accuracy/untrained`` of a control."""
    measured = measured_kind(result.kind for result in results)
    numbers: dict[str, float] = {}
    for result in results:
        name = result.name if result.kind == measured else f"{result.name}/{result.kind}"
        numbers.setdefault(name, result.value)
    return numbers
