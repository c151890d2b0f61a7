"""Whether ``[data]``, or several ``[[data]]``, are what a recipe can train on, and which views they give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coview.errors import CoviewError
from coview.plugins.own_settings import DataSettings
from coview.recipe.abilities import modalities_of, says_modalities
from coview.recipe.check_component import Checked, ComponentChecker, beside_use
from coview.recipe.key import Key
from coview.recipe.merge import OF_ALL_DATA
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import DataTable


@dataclass(frozen=True)
class CheckedData:
    """What a recipe trains on.

    Attributes:
        tables: The data sets; none if one of them is a mistake, which has been noted.
        resolved: As a resolved recipe has them: a table, or several.
        settings: coview's own; None if that is a mistake already.
        modalities: Those of the samples; none if that is a mistake already.
        at: Where the settings stand.
    """

    tables: tuple[DataTable, ...] = ()
    resolved: Any = None
    settings: DataSettings | None = None
    modalities: tuple[str, ...] = ()
    at: Key = ("data",)


def check_data(components: ComponentChecker, mistakes: Mistakes, given: Any, warnings: list[str]) -> CheckedData:
    """The data sets, or of those that are a mistake, which is noted, what is known nevertheless.

    Args:
        components: What checks tables against the components.
        mistakes: Where to note what is wrong.
        given: What the recipe has.
        warnings: Where to add what has no effect.
    """
    several = isinstance(given, list)
    tables: Sequence[Any] = given if isinstance(given, list) else [] if given is None else [given]
    if several and not tables:
        mistakes.add(("data",), "is empty; it has to be a table [data], or several [[data]]")
    found: list[tuple[DataTable, dict[str, Any]]] = []
    settings: DataSettings | None = None
    modalities: list[tuple[str, ...]] = []
    for index, table in enumerate(tables):
        at: Key = ("data", index) if several else ("data",)
        own, rest = components.settings(DataSettings, table, at)
        checked = components.check("dataset", rest, at, also=tuple(DataSettings.model_fields))
        modalities.append(_modalities(components, mistakes, rest, checked, at))
        settings = own if index == 0 else settings
        if own is not None and checked is not None:
            data = checked[0]
            found.append((DataTable(data.use, data.parameters, own.weight, as_written=data.as_written), checked[1]))
        for key in OF_ALL_DATA if index and isinstance(table, Mapping) else ():
            if key in table:
                mistakes.add((*at, key), "holds for all data sets of a mixture: write it into the first [[data]]")
    known = modalities[0] if modalities else ()
    for index, others in enumerate(modalities):
        if known and others and set(others) != set(known):
            message = f"has {' and '.join(others)}, and the first [[data]] has {' and '.join(known)}"
            mistakes.add(("data", index, "use"), message)
    if len(tables) > 1:
        _check_weights(mistakes, tables)
        _check_differ(mistakes, found)
    first: Key = ("data", 0) if several else ("data",)
    if settings is not None and settings.weight is not None and len(tables) == 1:
        warnings.append(f"{mistakes.where((*first, 'weight'))}: weight has no effect on a single data set")
        settings = settings.model_copy(update={"weight": None})
        found = [(replace(table, weight=None), resolved) for table, resolved in found]
    if settings is None or not tables or len(found) < len(tables):
        return CheckedData((), None, settings, known, first)
    resolved: Any = beside_use(found[0][1], settings)
    if len(tables) > 1:
        weighted = ({} if table.weight is None else {"weight": table.weight} for table, _ in found[1:])
        rest_of = zip(weighted, found[1:], strict=True)
        resolved = [resolved, *({"use": one["use"], **weight, **one} for weight, (_, one) in rest_of)]
    return CheckedData(tuple(table for table, _ in found), resolved, settings, known, first)


def views_of(mistakes: Mistakes, key: str, data: CheckedData) -> tuple[str, ...]:
    """The modality of each view, or of each local view."""
    if data.settings is None or not data.modalities:
        return ()
    number: int | tuple[str, ...] | dict[str, int | tuple[str, ...]] = getattr(data.settings, key)
    if isinstance(number, int | tuple):
        return tuple(name for name in data.modalities for _ in range(_count(number)))
    for name in number:
        if name not in data.modalities:
            mistakes.add((*data.at, key, name), f"the data has {' and '.join(data.modalities)}")
    return tuple(name for name in data.modalities for _ in range(_count(number.get(name, 0))))


def _count(views: int | tuple[str, ...]) -> int:
    return views if isinstance(views, int) else len(views)


def _modalities(
    components: ComponentChecker, mistakes: Mistakes, given: Any, checked: Checked | None, at: Key
) -> tuple[str, ...]:
    table = given if isinstance(given, Mapping) else {}
    use = table.get("use") if checked is None else checked[0].use
    said = components.says(says_modalities, "dataset", use)
    if said is None:
        return ()
    finds, modalities = said
    if finds:  # in what a table names, perhaps, which can change
        parameters = {name: value for name, value in table.items() if name != "use"}
        modalities = modalities_of(components.factory("dataset", use), parameters)
    if not modalities and (checked is not None or not finds):
        mistakes.add((*at, "use"), f'"{use}" does not say which modalities its samples have')
    for name in modalities if finds else ():
        try:
            components.resolved("modality", name, None)
        except CoviewError as error:
            mistakes.add(at, error.message)
            return ()
    return modalities


def _check_weights(mistakes: Mistakes, tables: Sequence[Any]) -> None:
    """All of them have a weight, or none has."""
    having = [isinstance(table, Mapping) and "weight" in table for table in tables]
    if any(having) and not all(having):
        index, other = having.index(False), having.index(True)
        message = f"weight is missing, and [[data]] number {other + 1} has one: give it to all of them, or to none"
        mistakes.add(("data", index), message)


def _check_differ(mistakes: Mistakes, found: Sequence[tuple[DataTable, dict[str, Any]]]) -> None:
    """No data set is there twice: its samples would be negatives of themselves."""
    seen: dict[str, int] = {}
    for index, (table, _) in enumerate(found):
        key = json.dumps([table.use, dict(table.parameters)], sort_keys=True, default=str)
        if key in seen:
            message = f"is [[data]] number {seen[key] + 1} again: give that one a larger weight"
            mistakes.add(("data", index, "use"), message)
        seen.setdefault(key, index)
