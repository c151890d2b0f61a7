"""``[schedule."loss.temperature"]``: which values of a recipe can be scheduled, and whether these are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

from pydantic import BaseModel

from coview.errors import CoviewError
from coview.plugins.component import Kind, in_one_line
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import LossSettings, MaskSettings, ValueScheduleSettings
from coview.plugins.table_problems import validate_strictly
from coview.recipe.abilities import read_each_step
from coview.recipe.check_component import ComponentChecker, can_be_built
from coview.recipe.key import Key
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import ComponentTable, LossTable, MaskTable, OptimizerTable, ScheduledTable
from coview.recipe.tables import TeacherTable, key_types

_TABLES = ("loss", "optimizer", "teacher", "mask")


@dataclass(frozen=True)
class _Value:
    """What a key stands for: a component's parameter, or a setting of coview's own."""

    start: float
    kind: Kind | None = None
    table: ComponentTable | None = None
    model: type[BaseModel] | None = None


@dataclass(frozen=True)
class CheckedParts:
    """The parts of a recipe that have values to schedule; those that are a mistake are not there.

    Attributes:
        loss: The terms.
        several: Whether the recipe has them in ``[[loss]]``.
        optimizer, teacher, mask: As checked.
    """

    loss: Sequence[LossTable]
    several: bool
    optimizer: OptimizerTable | None
    teacher: TeacherTable | None
    mask: MaskTable | None


def without_scheduled(table: Any) -> Any:
    """``[schedule]`` without the schedules of other values: their keys have a dot in them."""
    return {key: value for key, value in table.items() if not _is_of_value(key, value)} if _is_table(table) else table


def _is_of_value(key: str, value: Any) -> bool:
    return "." in key or (key in _TABLES and _is_table(value))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def check_scheduled(
    components: ComponentChecker, mistakes: Mistakes, table: Any, parts: CheckedParts, *, broken: set[str]
) -> tuple[tuple[ScheduledTable, ...], dict[str, Any]]:
    """The schedules of values, and their resolved tables by key; what is wrong is noted.

    Args:
        components: What checks tables against the components.
        mistakes: Where to note what is wrong.
        table: The recipe's ``[schedule]``.
        parts: What has values.
        broken: Tables with mistakes in them: their keys are not looked into.
    """
    found: list[ScheduledTable] = []
    resolved: dict[str, Any] = {}
    given = {key: value for key, value in table.items() if _is_of_value(key, value)} if _is_table(table) else {}
    values = dict(_values(components, parts)) if given else {}
    for key, one in given.items():
        at: Key = ("schedule", key)
        if key.split(".")[0] in broken:
            continue
        if "." not in key:
            inner = next(iter(one), "KEY")
            mistakes.add(at, f'write the whole key in quotes: [schedule."{key}.{inner}"]')
            continue
        if not _is_table(one):
            mistakes.add(at, f"has to be a table, got {json.dumps(one, default=str)}")
            continue
        if key not in values:
            mistakes.add(at, _why_not(key, values, components, parts))
            continue
        checked = _schedule(components, mistakes, key, one, values[key])
        if checked is not None:
            found.append(checked[0])
            resolved[key] = checked[1]
    return tuple(found), resolved


def _schedule(
    components: ComponentChecker, mistakes: Mistakes, key: str, table: Mapping[str, Any], value: _Value
) -> tuple[ScheduledTable, dict[str, Any]] | None:
    at: Key = ("schedule", key)
    own = {name: item for name, item in table.items() if name in ValueScheduleSettings.model_fields}
    rest = {"use": DEFAULT_USE["schedule"], **{name: item for name, item in table.items() if name not in own}}
    if "start" in rest:
        mistakes.add((*at, "start"), f"is what {key} is in its own table, {value.start:g}: write it there")
        rest.pop("start")
    settings = components.own_table(ValueScheduleSettings, own, at)
    # its own share at the end: what is left of the way is nothing then
    ends = {"end": 0.0} if "end" in components.takes("schedule", rest["use"]) else {}
    checked = components.check("schedule", {**rest, **ends}, at, also=tuple(ValueScheduleSettings.model_fields))
    if checked is None or not isinstance(settings, ValueScheduleSettings):
        return None
    if problem := _problem(components, key, value, settings.end):
        mistakes.add((*at, "end"), problem)
        return None
    component, resolved = checked
    others = {name: item for name, item in resolved.items() if name not in ("use", "end")}
    over = {} if settings.over is None else {"over": settings.over}
    scheduled = ScheduledTable(
        component.use, component.parameters, key=key, start=value.start, end=settings.end, over=settings.over
    )
    return scheduled, {"use": resolved["use"], "end": settings.end, **over, **others}


def _values(components: ComponentChecker, parts: CheckedParts) -> Iterator[tuple[str, _Value]]:
    """Everything in a recipe that can be scheduled."""
    for index, term in enumerate(parts.loss):
        prefix = f"loss.{index}" if parts.several else "loss"
        yield from _parameters(components, "loss", prefix, term)
        yield f"{prefix}.weight", _Value(term.settings.weight, model=LossSettings)
    if parts.optimizer is not None:
        for name, value in parts.optimizer.written.items():
            if name != "lr" and _is_number(value):
                yield f"optimizer.{name}", _Value(value, "optimizer", parts.optimizer)
    if parts.teacher is not None and parts.teacher.averages:
        yield "teacher.momentum", _Value(parts.teacher.momentum, model=TeacherTable)
    if parts.mask is not None:
        yield from _parameters(components, "mask", "mask", parts.mask)
        yield "mask.probability", _Value(parts.mask.settings.probability, model=MaskSettings)


def _parameters(
    components: ComponentChecker, kind: Kind, prefix: str, table: ComponentTable
) -> Iterator[tuple[str, _Value]]:
    for name in components.says(read_each_step, kind, table.use) or ():
        if _is_number(value := table.written.get(name)):
            yield f"{prefix}.{name}", _Value(value, kind, table)


def _problem(components: ComponentChecker, key: str, value: _Value, end: float) -> str:
    """What is wrong with a value at the end, in words; empty if it may be that."""
    name = key.rpartition(".")[2]
    if value.model is not None:
        _, problems = validate_strictly(value.model, {name: end}, partial(key_types, value.model))
        return next((problem.message for problem in problems if problem.path == name), "")
    assert value.kind is not None
    assert value.table is not None
    schema = components.parameters(value.kind, value.table.use)
    given = {**value.table.parameters, name: end}
    if problem := next((problem for problem in schema.check(given) if problem.path == name), None):
        return problem.message
    if value.kind == "optimizer":
        return ""
    try:
        components.built_says(can_be_built, value.kind, value.table.use, given)
    except (CoviewError, ValueError) as error:
        return in_one_line(error)
    return ""


def _why_not(key: str, values: Mapping[str, _Value], components: ComponentChecker, parts: CheckedParts) -> str:
    """Why a key cannot be scheduled."""
    table, _, name = key.partition(".")
    can = f"(can be scheduled: {', '.join(values) or 'nothing but the learning rate'})"
    if key == "optimizer.lr":
        return "the learning rate is scheduled by [schedule] itself, and by schedule in [[optimizer.group]]"
    if key == "teacher.end_momentum":
        return 'write [schedule."teacher.momentum"] with end in place of teacher.end_momentum'
    if table not in _TABLES:
        return f"values of [{table}] cannot be scheduled{did_you_mean(key, values)} {can}"
    component: ComponentTable | None = None
    if table == "loss" and parts.several:
        number, _, name = name.partition(".")
        if not number.isdecimal() or int(number) >= len(parts.loss):
            return f"there are several [[loss]]: say which by its number, such as loss.0.temperature {can}"
        component = parts.loss[int(number)]
    elif table == "loss" and parts.loss:
        component = parts.loss[0]
    elif table in ("mask", "optimizer"):
        component = parts.mask if table == "mask" else parts.optimizer
    if component is not None and name in component.written:
        if not _is_number(component.written[name]):
            return f"{name} is not a single number, and cannot be scheduled {can}"
        if table != "optimizer":
            return f'"{component.use}" does not say that it reads {name} anew in each step {can}'
    absent = {"teacher": parts.teacher, "mask": parts.mask}
    if table in absent and absent[table] is None:
        return f"the recipe has no [{table}]"
    return f"there is no such value{did_you_mean(key, values)} {can}"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, float | int) and not isinstance(value, bool)
