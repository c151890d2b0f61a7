"""Which evaluators measure while a run trains, when, and on what: known, and refused, before the run begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coview.errors import CoviewError
from coview.experiment.evaluators import Planned, check_data_of, plan_of, why_not
from coview.experiment.splits import Splits
from coview.experiment.validation_splits import ValidationSplits
from coview.model.loss_terms import LossTerms
from coview.plugins.duration import Duration
from coview.recipe.needs import needs_of
from coview.train.length import Length


@dataclass(frozen=True)
class PlannedCurve:
    """An evaluator that measures while the run trains.

    Attributes:
        plan: The evaluator, and the data that it looks at.
        every: How often.
        where: Where the recipe says so.
    """

    plan: Planned
    every: Duration
    where: str

    def due(self, step: int, length: Length) -> bool:
        """Whether it measures after so many steps: of the whole run, and of none, always."""
        every = max(1, self.every.in_steps(length.steps_per_epoch))
        return step in (0, length.total_steps) or step % every == 0


@dataclass(frozen=True)
class PlannedCurves:
    """What a recipe wants measured while it trains.

    Attributes:
        splits: The data as curves see them.
        curves: By evaluator; none where nothing is trained.
    """

    splits: ValidationSplits
    curves: Sequence[PlannedCurve]

    def due(self, step: int, length: Length) -> list[PlannedCurve]:
        """The evaluators that measure after so many steps."""
        return [curve for curve in self.curves if curve.due(step, length)]

    def notes(self, length: Length, loss: LossTerms) -> list[str]:
        """What to know of the curves before training, in sentences."""
        notes = [
            f"warning: {curve.where}: {curve.every.amount:g} {curve.every.unit} are longer than the run of "
            f"{length.total_steps:,} steps: {curve.plan.table.use} measures before the first and after the last only"
            for curve in self.curves
            if curve.every.in_steps(length.steps_per_epoch) > length.total_steps
        ]
        for source in {curve.plan.source.key: curve.plan.source for curve in self.curves}.values():
            if self.splits.whole.has(source, "validation"):
                continue
            held, rest = (len(self.splits(source, split)) for split in ("test", "train"))
            note = (
                f'"{source.table.use}" has no validation split: curves are measured on {held:,} samples held out of '
                f"its train split, and what is fitted is fitted to the other {rest:,}"
            )
            if not source.key and _trains_with_labels(loss):
                note += "; the loss trains with the labels of both, so they look better than they are"
            notes.append(note)
        return notes


def plan_curves(splits: Splits) -> PlannedCurves:
    """Builds the evaluators that have ``every``, and lets each refuse the data that it would measure on.

    Raises:
        CoviewError: If one cannot measure on validation, with file and line.
    """
    recipe = splits.recipe
    within = ValidationSplits(recipe, splits.registry, whole=splits)
    curves = []
    for index, table in enumerate(recipe.evaluate):
        if table.every is None:
            continue
        plan = plan_of(splits, index)
        where = recipe.where("evaluate", index, "every")
        try:
            _check(within, plan)
        except CoviewError as error:
            raise CoviewError(
                f"{where}: {table.use} cannot measure while training: {error.message}", error.hint
            ) from error
        curves.append(PlannedCurve(plan, Duration.parse(table.every), where))
    return PlannedCurves(within, curves)


def _check(splits: ValidationSplits, plan: Planned) -> None:
    """Raises :class:`CoviewError` with what keeps an evaluator from measuring on validation."""
    source, use = plan.source, plan.source.table.use
    if not splits.has(source, "test"):
        raise CoviewError(
            f'"{use}" has neither a validation split nor a train split that a part could be held out of, and test is '
            "not used before the end"
        )
    if plan.evaluator.labels == "pairs" and not splits.whole.has(source, "validation"):
        raise CoviewError(
            f'"{use}" has no validation split, and judged pairs are not held out of train',
            hint="name the validation data in the table of these data: validation_split = the hub's name of it, "
            "validation_path = a file, or a split_column that has it",
        )
    if reason := why_not(splits, source, plan.evaluator):
        raise CoviewError(reason)
    for split in plan.evaluator.splits:
        if splits.has(source, split):
            splits(source, split)
    try:
        check_data_of(splits, plan)
    except CoviewError as error:
        on = "validation" if splits.whole.has(source, "validation") else "a part of train"
        raise CoviewError(f"{error.message} (what is called test is {on} here)", error.hint) from error


def _trains_with_labels(loss: LossTerms) -> bool:
    needs = (needs_of(term.loss) for term in loss.terms)
    return any(need is not None and need.labels for need in needs)
