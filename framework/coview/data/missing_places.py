"""Where data were looked for that are not there, by which rule, and how to say where they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from coview.plugins.registry import Registry
from coview.recipe.key import Key, dotted
from coview.recipe.place import is_address
from coview.recipe.recipe import ComponentTable, Recipe


def missing_places(recipe: Recipe, data: ComponentTable, registry: Registry, at: Key) -> Iterator[str]:
    """One sentence for each path of a data set that leads nowhere.

    Args:
        recipe: The recipe.
        data: The data set that it names.
        registry: Where data sets come from.
        at: Where in the recipe it stands.
    """
    for name in registry.parameters("dataset", data.use).paths:
        place = data.parameters.get(name)
        # of a pattern of names the folder has to be there; an address is no place here
        if (
            not isinstance(place, str)
            or is_address(place)
            or os.path.lexists(Path(place).parent if "*" in place else place)
        ):
            continue
        key = dotted((*at, name))
        anew = f"point it elsewhere with --set {key}=PATH"
        written = data.written.get(name)
        if Path(str(written)).is_absolute() or str(written).startswith("~"):
            yield f"{key} is {place}, which is not there: {anew}"
        else:
            rule = _rule(recipe.layers.where((*at, name)), recipe.layers.folder((*at, name)))
            yield f'{key} is "{written}", relative to {rule}, so it was looked for at {place}: {anew}'


def _rule(where: str, folder: Path) -> str:
    """What a relative path goes by that was written in a place."""
    file = where.rpartition(":")[0]
    if not file:
        return f"the current folder, as always for {where}" if where else "the current folder"
    if folder.absolute() == Path(file).parent.absolute():
        return f"the folder of {file}"
    return f"the folder that relative_to in {file} names"
