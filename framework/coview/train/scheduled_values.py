"""Values of a recipe that are scheduled, such as a temperature: what each is at each step.

They are pure functions of the optimiser step, so that a resume, accumulation and the gradient cache change nothing.
What a mask is made by is one of the epoch, so that masks stay functions of (seed, epoch, sample, view).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from coview.errors import CoviewError
from coview.model.parameter_groups import GroupOfParameters
from coview.model.topology import Topology
from coview.plugins.duration import Duration
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe, ScheduledTable
from coview.train.length import Length
from coview.train.optimizer import trained
from coview.train.schedule import Moment, Schedule

LOGGED_AS = "schedule/"
"""What the names of scheduled values begin with where they are logged."""


@dataclass(frozen=True)
class ScheduledValue:
    """One of them.

    Attributes:
        table: The recipe's.
        schedule: How it gets from the start to the end: 1 there, 0 here.
        steps: How long that takes.
        length: Of the run.
    """

    table: ScheduledTable
    schedule: Schedule
    steps: int
    length: Length

    def __call__(self, step: int) -> float:
        """The value for a step, counted from 0."""
        if step >= self.steps:
            return self.table.end
        left = self.schedule(Moment(step, self.steps, self.length.steps_per_epoch))
        return self.table.end + (self.table.start - self.table.end) * left

    def of_epoch(self, epoch: int, accumulate: int) -> float:
        """The value at the first step of an epoch, counted from 0."""
        return self(epoch * self.length.batches_per_epoch // accumulate)


class ScheduledValues:
    """Sets them in the parts of a run.

    Args:
        recipe: The recipe.
        registry: Where its schedules come from.
        topology: The loss, the teacher and the masks.
        optimizer: Made for the groups.
        groups: All groups of parameters.
        length: Of the run.

    Raises:
        CoviewError: If one takes longer than the run, or the optimiser does not have it for each step.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        topology: Topology,
        optimizer: torch.optim.Optimizer,
        groups: Sequence[GroupOfParameters],
        length: Length,
    ) -> None:
        self._topology = topology
        self._optimizer = optimizer
        self._groups = trained(groups)
        self.values = scheduled_values(recipe, registry, length)
        for table in recipe.scheduled:
            part, _, name = table.key.partition(".")
            if part == "optimizer" and not all(
                isinstance(group.get(name), float | int) for group in optimizer.param_groups
            ):
                raise CoviewError(
                    f"{recipe.where('schedule', table.key)}: {_use(recipe)} does not keep {name} for each group of "
                    "parameters, so it cannot be set in each step"
                )
        of_masks = {key.removeprefix("mask."): value for key, value in self.values.items() if key.startswith("mask.")}
        if topology.masking is not None and of_masks:
            accumulate = recipe.train.accumulate
            topology.masking.schedule(
                lambda epoch: {name: value.of_epoch(epoch, accumulate) for name, value in of_masks.items()}
            )
        self._accumulate = recipe.train.accumulate

    def set(self, step: int) -> None:
        """Sets them for a step, counted from 0; masks set their own when they are made."""
        for key, value in self.values.items():
            part, _, name = key.partition(".")
            now = value(step)
            if part == "loss":
                self._topology.loss.set_value(name, now)
            elif part == "teacher" and self._topology.teacher is not None:
                self._topology.teacher.momentum = now
            elif part == "optimizer":
                for made, group in zip(self._optimizer.param_groups, self._groups, strict=True):
                    if name not in group.settings.options:
                        made[name] = now

    def at(self, step: int, epoch: int) -> dict[str, float]:
        """All of them as they are logged, for a step and its epoch, counted from 0."""
        return {
            f"{LOGGED_AS}{key}": value.of_epoch(epoch, self._accumulate) if key.startswith("mask.") else value(step)
            for key, value in self.values.items()
        }


def scheduled_values(recipe: Recipe, registry: Registry, length: Length) -> dict[str, ScheduledValue]:
    """Each value by its key.

    Raises:
        CoviewError: If one takes longer than the run, with file and line.
    """
    found = {}
    for table in recipe.scheduled:
        schedule = registry.build("schedule", table.use, **table.parameters)
        steps = (
            length.total_steps if table.over is None else Duration.parse(table.over).in_steps(length.steps_per_epoch)
        )
        if steps > length.total_steps:
            raise CoviewError(
                f"{recipe.where('schedule', table.key, 'over')}: {table.over} are {steps:,} steps, more than the "
                f"{length.total_steps:,} of the run: {table.key} would not reach {table.end:g}"
            )
        found[table.key] = ScheduledValue(table, schedule, steps, length)
    return found


def _use(recipe: Recipe) -> str:
    assert recipe.optimizer is not None
    return recipe.optimizer.use
