"""Whether ``[start]`` says where weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coview.recipe.check_component import ComponentChecker, as_json
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.tables import StartTable

_SOURCES = ("run", "checkpoint", "export")


def check_starts(
    components: ComponentChecker,
    mistakes: Mistakes,
    recipe: Mapping[str, Any],
    used: tuple[str, ...],
    shared_encoders: Mapping[str, str],
) -> dict[str, tuple[StartTable, dict[str, Any]]]:
    """``[start]``, or each ``[start.NAME]``, by the modality that it is for.

    Args:
        components: What checks tables.
        mistakes: Where to note what is wrong.
        recipe: The whole recipe's table.
        used: The modalities that have an encoder.
        shared_encoders: Of those that share one, by whose it is.
    """
    table = recipe.get("start")
    if table is None:
        return {}
    split = bool(table) and set(table) <= set(used)
    if len(used) > 1 and not split:
        named = " and ".join(used)
        mistakes.add(("start",), f"the views are of {named}: give a table for each that has one, [start.{used[0]}]")
        return {}
    names = list(table) if split else used[:1]
    found = {
        name: check_start(
            components, mistakes, table[name] if split else table, ("start", name) if split else ("start",)
        )
        for name in names
    }
    for name, of in shared_encoders.items():
        given = found.get(name)
        if given is not None and "encoder" in given[0].parts:
            at: Key = ("start", name, "parts") if "parts" in table[name] else ("start", name)
            message = f"{name} shares the encoder of {of}: start it by [start.{of}]; here parts can name the others"
            mistakes.add(at, message)
    return {name: of_modality for name, of_modality in found.items() if of_modality is not None}


def check_start(
    components: ComponentChecker, mistakes: Mistakes, table: Any, path: Key
) -> tuple[StartTable, dict[str, Any]] | None:
    """The table with whole paths, and the resolved one; None if there is none, or it is a mistake, which is noted."""
    start = components.own_table(StartTable, table, path)
    if not isinstance(start, StartTable):
        return None
    given = [key for key in _SOURCES if getattr(start, key) is not None]
    if len(given) != 1:
        both = f"{' and '.join(given)} are given" if given else "does not say where the weights are"
        mistakes.add((*path, given[1]) if given else path, f"{both}: give one of {', '.join(_SOURCES)}")
        return None
    if start.step is not None and start.run is None:
        mistakes.add((*path, "step"), f"is of a run; {given[0]} is one set of weights")
        return None
    if not start.parts or len(set(start.parts)) < len(start.parts):
        mistakes.add((*path, "parts"), "has to name each part once, such as ['encoder']")
        return None
    (source,) = given
    path_given = components.places.path(getattr(start, source), (*path, source))
    if not Path(path_given).exists():  # a run that is there has its own copy: alone this is no mistake of its recipe
        mistakes.add_beside_others((*path, source), f"{path_given} is not there")
    placed = start.model_copy(update={source: path_given})
    return placed, as_json(start)
