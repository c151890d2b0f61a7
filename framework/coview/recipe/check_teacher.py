"""``[teacher]``: its keys, and the encoder that it may have of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from coview.recipe.check_component import ComponentChecker, as_json
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import ComponentTable
from coview.recipe.tables import TeacherTable


class CheckedTeacher(NamedTuple):
    """A teacher.

    Attributes:
        table: Absent where the recipe has none, or not as it has to be.
        encoder: Of its own; absent where it has none.
        resolved: The resolved table.
    """

    table: TeacherTable | None = None
    encoder: ComponentTable | None = None
    resolved: Mapping[str, Any] = MappingProxyType({})


def check_teacher(
    components: ComponentChecker, mistakes: Mistakes, table: Any, modalities: Sequence[str]
) -> CheckedTeacher:
    """The teacher of a recipe.

    Args:
        components: What checks tables against the components.
        mistakes: Where to note what is wrong.
        table: ``[teacher]`` as given; None where there is none.
        modalities: Of the views; none if that is a mistake already.
    """
    teacher = components.own_table(TeacherTable, table, ("teacher",))
    if not isinstance(teacher, TeacherTable):
        return CheckedTeacher()
    if teacher.encoder is None:
        return CheckedTeacher(teacher, None, as_json(teacher))
    if teacher.stop_gradient:
        message = "cannot be true where the teacher has an encoder of its own: remove one of them"
        mistakes.add(("teacher", "stop_gradient"), message)
    if len(modalities) > 1:
        message = f"is for views of one modality, and these are of {' and '.join(modalities)}"
        mistakes.add(("teacher", "encoder"), message)
        return CheckedTeacher(teacher)
    modality = modalities[0] if modalities else None
    checked = components.check("encoder", teacher.encoder, ("teacher", "encoder"), modality=modality)
    if checked is None:
        return CheckedTeacher(teacher)
    return CheckedTeacher(teacher, checked[0], {"encoder": checked[1]})


def check_end_momentum(mistakes: Mistakes, teacher: Mapping[str, Any], scheduled: Mapping[str, Any]) -> None:
    """Notes a momentum whose way is said twice.

    Args:
        mistakes: Takes what is found.
        teacher: ``[teacher]`` as given.
        scheduled: The values that have a schedule of their own, by key.
    """
    if _MOMENTUM in scheduled and "end_momentum" in teacher:
        message = f'has no effect beside [schedule."{_MOMENTUM}"], which sets the momentum at the end'
        mistakes.add(("teacher", "end_momentum"), message)


def resolved_teacher(teacher: Mapping[str, Any], scheduled: Mapping[str, Any]) -> dict[str, Any]:
    """``[teacher]``, without the end of a momentum that has a schedule of its own."""
    return {key: value for key, value in teacher.items() if key != "end_momentum" or _MOMENTUM not in scheduled}


_MOMENTUM = "teacher.momentum"
