"""Recipes: read and checked, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry
from coview.recipe import load
from coview.recipe.published import departures, required_published
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import difference


def load_recipe(
    path: Path | str,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    registry: Registry | None = None,
) -> Recipe:
    """Reads, extends, overrides and checks a recipe.

    Args:
        path: A file, or the name of a recipe that comes with coview, such as ``quickstart``.
        overrides: Values over the recipe's: ``{"loss.temperature": 0.2}``, or nested mappings.
        sets: The same as texts ``KEY=VALUE``, as ``--set`` takes them.
        registry: What the recipe sees; all installed plugins by default.

    Raises:
        RecipeError: With every mistake, each with its file and line.
    """
    return load.load_recipe(path, registry or load_plugins(), overrides=overrides, sets=sets)


def recipe_diff(one: Recipe, other: Recipe | None = None) -> list[str]:
    """What differs between two recipes once they are resolved, or between one and what is published of its method.

    Args:
        one: A recipe.
        other: The recipe that it is compared with; absent: what the authors have set, whom ``[paper]`` of the recipe
            names.

    Returns:
        A line for each key: ``loss.temperature: 0.5 → 0.2``. Of a departure from the published with its reason.

    Raises:
        CoviewError: If there is no other one, and the recipe names no published method.
    """
    if other is not None:
        return difference(one.tables, other.tables)
    return [str(departure) for departure in departures(one, required_published(one))]
