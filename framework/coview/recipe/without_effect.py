"""Settings of coview's own tables that have no effect beside others: a recipe is valid with them, and is told so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from coview.plugins.duration import Duration
from coview.recipe.key import Key, dotted
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import OptimizerTable, ScheduleTable
from coview.recipe.tables import TeacherTable, TrainTable

_OF_AN_AVERAGE = ("momentum", "end_momentum", "shuffle_groups", "evaluate")


def without_effect(
    mistakes: Mistakes,
    teacher: TeacherTable | None,
    optimizer: OptimizerTable | None,
    schedule: ScheduleTable | None,
    train: TrainTable,
    views: Sequence[str],
) -> Iterator[str]:
    """A sentence for each of them, with file and line; ``views`` has the modality of each view."""
    if teacher is not None and not teacher.averages:
        beside = "with stop_gradient = true" if teacher.stop_gradient else "beside an encoder of the teacher's own"
        for key in _OF_AN_AVERAGE:
            if getattr(teacher, key) != TeacherTable.model_fields[key].default:
                where = mistakes.where(("teacher", key))
                yield f"{where}: teacher.{key} has no effect {beside}"
    schedules: list[tuple[ScheduleTable | None, Key]] = [(schedule, ("schedule",))]
    for index, group in enumerate(() if optimizer is None else optimizer.groups):
        schedules.append((group.schedule, ("optimizer", "group", index, "schedule")))
    for table, at in schedules:
        if table is not None and table.settings.warmup_start and not Duration.parse(table.settings.warmup).amount:
            start = (*at, "warmup_start")
            yield f"{mistakes.where(start)}: {dotted(start)} has no effect without a warmup"
    if train.clip_norm_of != "all" and train.clip_norm is None:
        yield f"{mistakes.where(('train', 'clip_norm_of'))}: train.clip_norm_of has no effect without train.clip_norm"
    if train.batch_norm == "per_view" and max(Counter(views).values(), default=0) < 2:
        yield (
            f'{mistakes.where(("train", "batch_norm"))}: train.batch_norm = "per_view" has no effect on a single view'
        )
