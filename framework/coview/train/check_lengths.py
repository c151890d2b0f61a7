"""Whether what a recipe wants to last is over before the run is."""

from __future__ import annotations

from collections.abc import Iterator

from coview.errors import CoviewError
from coview.plugins.duration import Duration
from coview.recipe.key import Key
from coview.recipe.recipe import Recipe, ScheduleTable
from coview.train.length import Length


def check_lengths(recipe: Recipe, length: Length) -> None:
    """Raises :class:`CoviewError` if parameters are frozen for longer than the run, with file and line."""
    for index, group in enumerate(() if recipe.optimizer is None else recipe.optimizer.groups):
        freeze = group.settings.freeze
        if freeze is None or isinstance(freeze, bool):
            continue
        steps = Duration.parse(freeze).in_steps(length.steps_per_epoch)
        if steps > length.total_steps:
            raise CoviewError(
                f"{recipe.where('optimizer', 'group', index, 'freeze')}: {steps:,} steps are more than the "
                f"{length.total_steps:,} of the run: what {group.settings.match} matches would never be trained",
                hint="freeze = true says that it never is",
            )


def long_warm_ups(recipe: Recipe, length: Length) -> Iterator[str]:
    """A sentence for each warm-up that is longer than the run, as that of a recipe that is tried for a few steps."""
    if not recipe.trains or recipe.optimizer is None:
        return
    schedules: list[tuple[ScheduleTable, Key]] = [(recipe.schedule, ("schedule",))]
    for index, group in enumerate(recipe.optimizer.groups):
        if group.schedule is not None:
            schedules.append((group.schedule, ("optimizer", "group", index, "schedule")))
    for table, at in schedules:
        steps = Duration.parse(table.settings.warmup).in_steps(length.steps_per_epoch)
        if steps > length.total_steps:
            risen = length.total_steps / steps
            yield (
                f"warning: {recipe.where(*at, 'warmup')}: a warm-up of {steps:,} steps is longer than the run of "
                f"{length.total_steps:,}: the learning rate only rises, to "
                f"{table.settings.warmup_start * (1 - risen) + risen:.0%} of its peak"
            )
