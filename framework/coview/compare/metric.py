"""Which of its numbers a comparison ranks by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coview.compare.asked_metric import evaluators_of
from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.plugins.nearest import did_you_mean
from coview.recipe.comparison import Comparison, ComparisonCell
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder


def ranking_metric(comparison: Comparison, read: Sequence[Sequence[Result]]) -> str:
    """The name of the number, as :attr:`coview.Result.name` has it.

    What is asked without labels is the number of all labels; where no run has that, the first with fewer.
    """
    if comparison.metric is None:
        return _first(comparison, read)
    asked = comparison.metric.removesuffix("@all")
    names = available(read)
    if asked in names or "@" in asked:
        return asked
    return next((name for name in names if name.partition("@")[0] == asked), asked)


@dataclass
class MeasuredCells:
    """Watches whether the runs of a comparison have its number, which an evaluator tells only when it has measured.

    Attributes:
        comparison: Whose runs.
        has_it: Whether one has been seen that has it: then the others are no reason to stop.
    """

    comparison: Comparison
    has_it: bool = False

    def check(self, cell: ComparisonCell, run: RunFolder) -> None:
        """Looks at a finished run.

        Raises:
            CoviewError: If it does not have the number though its evaluator has measured, and no run before has had it.
        """
        metric = self.comparison.metric
        if metric is None or self.has_it or metric.partition("/")[0] not in evaluators_of(cell.recipe):
            return
        if not any(table.test for table in cell.recipe.evaluate):  # a trial, which measures on validation alone
            return
        read = [RunResults.read(run.results).results]
        names = available(read)
        self.has_it = ranking_metric(self.comparison, read) in names
        if self.has_it:
            return
        raise CoviewError(
            f"{self.comparison.path}: compare.metric: no other cell is run, because {cell.name} was run and has "
            f"no number {metric}{did_you_mean(metric, names)}",
            hint=f"compare.metric may be: {', '.join(names) or 'nothing, because it has no numbers'}",
        )


def _first(comparison: Comparison, read: Sequence[Sequence[Result]]) -> str:
    """The first number of the first evaluator."""
    evaluators = [table.use.split("/")[-1] for table in comparison.cells[0].recipe.evaluate[:1]]
    first = next((result for results in read for result in results if result.evaluator in evaluators), None)
    first = first or next((result for results in read for result in results), None)
    return first.name if first else "/".join([*evaluators, "the first metric"])


def available(read: Sequence[Sequence[Result]]) -> list[str]:
    """Every number that a run has."""
    return list(dict.fromkeys(result.name for results in read for result in results))
