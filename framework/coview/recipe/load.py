"""From a path, or a table, to a valid recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coview.errors import Mistake, RecipeError
from coview.plugins.registry import Registry
from coview.recipe.extend import read_with_parents
from coview.recipe.key import dotted
from coview.recipe.limits import find_unusable
from coview.recipe.merge import Layers, copied
from coview.recipe.override import from_python, parse_set
from coview.recipe.recipe import Recipe
from coview.recipe.sweep import Cell, expand
from coview.recipe.validate import validate

_OF_A_COMPARISON = ("sweep", "compare", "tune")


def read_layers(
    path: Path | str,
    *,
    sets: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Layers:
    """Reads a recipe, its parents and the overrides, and merges them; checks nothing else.

    Raises:
        RecipeError: If a file cannot be read or an override is no ``KEY=VALUE``.
    """
    layers = Layers()
    for document in read_with_parents(path):
        layers.add_document(document)
    _add_overrides(layers, sets, overrides)
    return layers


def layers_of(
    table: Mapping[str, Any], *, sets: Iterable[str] = (), overrides: Mapping[str, Any] | None = None
) -> Layers:
    """The same of a table that is in no file.

    Raises:
        RecipeError: If an override is no ``KEY=VALUE``.
    """
    layers = Layers()
    layers.add_override(table, "")
    _add_overrides(layers, sets, overrides)
    return layers


def _add_overrides(layers: Layers, sets: Iterable[str], overrides: Mapping[str, Any] | None) -> None:
    layers.add_override(parse_set(sets), "--set")
    layers.add_override(_overrides(overrides or {}), "overrides")


def _overrides(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        table = from_python(given)
    except ValueError as error:
        raise RecipeError([Mistake("overrides", "", str(error))]) from error
    if unusable := list(find_unusable(table)):
        raise RecipeError([Mistake("overrides", dotted(path), reason) for path, reason in unusable])
    return table


def load_recipe(
    path: Path | str,
    registry: Registry,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
) -> Recipe:
    """Reads, extends, overrides and checks a recipe.

    Args:
        path: A file, or the name of a recipe that comes with coview, such as ``quickstart``.
        registry: What the recipe sees.
        overrides: Values over the recipe's: ``{"loss.temperature": 0.2}``, or nested mappings.
        sets: The same as texts ``KEY=VALUE``, as ``--set`` takes them.

    Raises:
        RecipeError: With every mistake, each with its file and line.
    """
    layers = read_layers(path, sets=sets, overrides=overrides)
    return validate(layers, registry, Path(path))


def load_cells(recipe: Recipe, registry: Registry) -> list[tuple[Cell, Recipe]]:
    """The recipes that a sweep stands for, each checked.

    Raises:
        RecipeError: If a cell is not a valid recipe; the message names its values.
    """
    return [
        (cell, with_values(recipe, cell.values, "sweep", registry))
        for cell in expand(recipe.sweep, recipe.compare.variant)
    ]


def with_values(
    recipe: Recipe, values: Mapping[str, Any], table: str, registry: Registry, also: Mapping[str, Any] | None = None
) -> Recipe:
    """A single run's recipe with some values in place of its own, checked.

    Args:
        recipe: The recipe; its sweep, and what is said of a comparison, are left out.
        values: Dotted key to value.
        table: The table that gives them, by which mistakes name them.
        registry: What the recipe sees.
        also: More values, which mistakes do not name.

    Raises:
        RecipeError: If it is not a valid recipe; the message names the values.
    """
    own = {key: copied(value) for key, value in recipe.layers.table.items() if key not in _OF_A_COMPARISON}
    layers = Layers(own, origins=dict(recipe.layers.origins), about=recipe.layers.about)
    said = ", ".join(f"{key}={value}" for key, value in values.items())
    layers.add_override(from_python({**values, **(also or {})}), f"{table} {said}", recipe.layers.folder((table,)))
    return validate(layers, registry, recipe.path)
