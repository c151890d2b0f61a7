"""Whether an optimiser, the groups of its parameters and their schedules are what a recipe can train with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import GroupTable, OptimizerSettings, ScheduleSettings
from coview.plugins.parameters import Parameters
from coview.recipe.check_component import ComponentChecker, as_json
from coview.recipe.key import Key
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import OptimizerTable, ParameterGroup, ScheduleTable

_NOT_OF_A_GROUP = {
    "lr": "lr_scale multiplies the learning rate of a group",
    "initial_accumulator_value": "Adagrad starts all parameters alike: it stands in [optimizer]",
}


def check_optimizer(
    components: ComponentChecker, mistakes: Mistakes, table: Any
) -> tuple[OptimizerTable, dict[str, Any]] | None:
    """The optimiser as given, and its resolved table; None if something is wrong with it, which is noted."""
    if not isinstance(table, dict):
        return None
    rest = {key: value for key, value in table.items() if key not in OptimizerSettings.model_fields}
    tables = _groups(components, mistakes, table.get("group", []))
    of_use = components.check("optimizer", rest, ("optimizer",), also=tuple(OptimizerSettings.model_fields))
    if of_use is None or tables is None:
        return None
    component, resolved = of_use
    if "lr" not in resolved:
        mistakes.add(("optimizer", "lr"), f"is missing: {rest['use']} needs a learning rate")
        return None
    given = component.parameters
    schema = components.parameters("optimizer", component.use)
    checked = [
        _group(components, mistakes, group, given, schema, ("optimizer", "group", index))
        for index, group in enumerate(tables)
    ]
    groups = [group for group in checked if group is not None]
    if len(groups) < len(checked):
        return None
    written = {"group": [table for _, table in groups]} if groups else {}
    found = OptimizerTable(component.use, given, tuple(group for group, _ in groups), as_written=resolved)
    return found, {**resolved, **written}


def _groups(components: ComponentChecker, mistakes: Mistakes, tables: Any) -> list[GroupTable] | None:
    """Each group's table of coview's own; None if one of them is a mistake."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        mistakes.add(("optimizer", "group"), "has to be an array of tables: [[optimizer.group]]")
        return None
    checked = [
        components.own_table(GroupTable, table, ("optimizer", "group", index)) for index, table in enumerate(tables)
    ]
    groups = [group for group in checked if isinstance(group, GroupTable)]
    return groups if len(groups) == len(checked) else None


def check_schedule(
    components: ComponentChecker, table: Any, path: Key = ("schedule",)
) -> tuple[ScheduleTable, dict[str, Any]] | None:
    """The schedule as given, and its resolved table; None if something is wrong with it, which is noted."""
    if not isinstance(table, dict):
        return None
    given = {"use": DEFAULT_USE["schedule"], **table}
    settings, rest = components.settings(ScheduleSettings, given, path)
    checked = components.check("schedule", rest, path, also=tuple(ScheduleSettings.model_fields))
    if checked is None or not isinstance(settings, ScheduleSettings):
        return None
    component, resolved = checked
    others = {key: value for key, value in resolved.items() if key != "use"}
    table = {"use": resolved["use"], **as_json(settings), **others}
    return ScheduleTable(component.use, component.parameters, settings, as_written=resolved), table


def _group(
    components: ComponentChecker,
    mistakes: Mistakes,
    group: GroupTable,
    given: Mapping[str, Any],
    schema: Parameters,
    at: Key,
) -> tuple[ParameterGroup, dict[str, Any]] | None:
    """A group as given, and its resolved table. The optimiser's own settings are checked beside those of its table."""
    takes = [*GroupTable.model_fields, *(p.name for p in schema.parameters if p.name not in _NOT_OF_A_GROUP)]
    options = {key: value for key, value in group.options.items() if key in takes}
    listed = f"(takes: {', '.join(takes)})"
    wrong = [
        ((*at, key), _NOT_OF_A_GROUP.get(key) or f"unknown key{did_you_mean(key, takes)} {listed}")
        for key in group.options
        if key not in takes
    ]
    wrong += [((*at, *problem.path.split(".")), problem.message) for problem in schema.check({**given, **options})]
    own = {key: value for key, value in as_json(group).items() if key in GroupTable.model_fields}
    if len(own) == 1 and not group.options:
        wrong.append((at, f"sets nothing for what it matches {listed}"))
    for path, message in wrong:
        mistakes.add(path, message)
    schedule = None
    if group.schedule is not None:
        table = {"use": group.schedule} if isinstance(group.schedule, str) else group.schedule
        if (schedule := check_schedule(components, table, (*at, "schedule"))) is None:
            return None
        own["schedule"] = schedule[1]
    if wrong:
        return None
    resolved = schema.resolved({**given, **options})
    written = {**own, **{key: resolved[key] for key in options if key in resolved}}
    return ParameterGroup(group, options, None if schedule is None else schedule[0]), written
