"""The contract of schedules, which plugins implement, and the warm-up that comes before one.

The learning rate is a pure function of the optimiser step, so that it survives a resume and accumulation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from coview.plugins.duration import Duration
from coview.plugins.registry import Registry
from coview.recipe.recipe import ScheduleTable
from coview.train.length import Length


@dataclass(frozen=True)
class Moment:
    """When in a run an optimiser step is.

    Attributes:
        step: Counted from 0, before ``total_steps``; a schedule is asked for those from ``warmup`` on.
        total_steps: Optimiser steps in the whole run.
        steps_per_epoch: Optimiser steps in an epoch.
        warmup: Steps of the warm-up, which comes before the schedule.
    """

    step: int
    total_steps: int
    steps_per_epoch: int = 1
    warmup: int = 0

    @property
    def done(self) -> float:
        """The share of what follows the warm-up that is behind: from 0 to below 1."""
        return max(0, self.step - self.warmup) / max(1, self.total_steps - self.warmup)

    def reached(self, after: int | str) -> bool:
        """Whether so many steps of the run are behind, such as 500 or "30 epochs"."""
        return self.step >= Duration.parse(after).in_steps(self.steps_per_epoch)


@runtime_checkable
class Schedule(Protocol):
    """From the moment in a run to what the learning rate is multiplied by: a pure function, at least 0."""

    def __call__(self, moment: Moment, /) -> float:
        """The share of the peak learning rate."""
        ...


@dataclass(frozen=True)
class WarmedUp:
    """A schedule with its warm-up.

    Attributes:
        schedule: What follows the warm-up.
        warmup: Its steps. The rate rises linearly to what the schedule begins with; the first step already learns.
        length: Of the run.
        start: What the rate rises from, as a share of the peak.
    """

    schedule: Schedule
    warmup: int
    length: Length
    start: float = 0.0

    def __call__(self, step: int) -> float:
        """The share of the peak learning rate for a step, counted from 0."""
        now = Moment(step, self.length.total_steps, self.length.steps_per_epoch, self.warmup)
        if step >= self.warmup:
            return self.schedule(now)
        risen = (step + 1) / self.warmup
        return self.start * (1 - risen) + risen * self.schedule(replace(now, step=self.warmup))


def build_schedule(table: ScheduleTable, registry: Registry, length: Length) -> WarmedUp:
    """The schedule of a recipe, or of a group of its parameters."""
    schedule = registry.build("schedule", table.use, **table.parameters)
    settings = table.settings
    warmup = Duration.parse(settings.warmup).in_steps(length.steps_per_epoch)
    return WarmedUp(schedule, warmup, length, settings.warmup_start)
