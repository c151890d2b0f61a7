"""Whether ``[start]`` says where weights come from."""

from __future__ import annotations

from typing import Any

from coview.recipe.check_component import ComponentChecker, as_json
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.tables import StartTable

_SOURCES = ("run", "checkpoint", "export")


def check_start(
    components: ComponentChecker, mistakes: Mistakes, table: Any, path: Key
) -> tuple[StartTable, dict[str, Any]] | None:
    """The table with whole paths, and the resolved one; None if there is none, or it is a mistake, which is noted."""
    if table == {} and len(path) > 1:  # this modality's tower starts from nothing
        return None
    start = components.own_table(StartTable, table, path)
    if not isinstance(start, StartTable):
        return None
    given = [key for key in _SOURCES if getattr(start, key) is not None]
    if len(given) != 1:
        both = f"{' and '.join(given)} are given" if given else "says not where the weights are"
        mistakes.add((*path, given[1]) if given else path, f"{both}: give one of {', '.join(_SOURCES)}")
        return None
    if start.step is not None and start.run is None:
        mistakes.add((*path, "step"), f"is of a run; {given[0]} is one set of weights")
        return None
    if not start.parts or len(set(start.parts)) < len(start.parts):
        mistakes.add((*path, "parts"), "has to name each part once, such as ['encoder']")
        return None
    (source,) = given
    placed = start.model_copy(update={source: components.places.path(getattr(start, source), (*path, source))})
    return placed, as_json(start)
