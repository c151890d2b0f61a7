"""A recipe file and the files it extends, parents first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from coview.errors import Mistake, RecipeError
from coview.plugins.nearest import did_you_mean
from coview.recipe.read import Document, read_document
from coview.recipe.shipped import find_recipe, shipped_names

DEEPEST = 64
"""Recipes in a row of which each extends the next; nobody writes more, and more could only exhaust the stack."""


def read_with_parents(path: Path | str) -> list[Document]:
    """Reads a recipe and everything it extends; the furthest parent comes first.

    A parent is a path relative to the file that names it, else the name of a recipe that comes with coview.

    Of several parents a later one is merged over an earlier one. What two of them extend counts once, where it comes
    first.

    Raises:
        RecipeError: If a file cannot be read, ``extends`` is no path or paths, or the files extend each other in a
            circle or too deeply.
    """
    documents: dict[str, Document] = {}
    _read(Path(path), find_recipe(path), "", {}, documents)
    return list(documents.values())


def _read(given: Path, current: Path, named_by: str, children: dict[str, Path], documents: dict[str, Document]) -> None:
    """Reads a file and its parents. ``children`` are those that led here, by their real paths.

    Args:
        given: What was written where the file is named; ``current`` is the file that this means.
    """
    real = _real(current)
    if real in children:
        paths = list(children.values())
        circle = " → ".join(map(str, [*paths[list(children).index(real) :], current]))
        message = f"the recipes extend each other in a circle: {circle}"
        raise RecipeError([Mistake(named_by, "extends", message)])
    if real in documents:
        return
    if len(children) == DEEPEST:
        message = f"is the parent number {DEEPEST} in a row, and at most {DEEPEST - 1} are allowed"
        raise RecipeError([Mistake(named_by, "extends", message)])
    try:
        document = read_document(current)
    except RecipeError as error:
        error = _with_suggestion(error, given, current)
        if not named_by:
            raise error from None
        raise RecipeError([Mistake(named_by, "extends", str(mistake)) for mistake in error.mistakes]) from None
    for parent, line in _parents(document):
        file = find_recipe(parent, current.parent)
        _read(Path(parent), file, f"{document.path}:{line}", {**children, real: current}, documents)
    documents[real] = document


def _parents(document: Document) -> list[tuple[str, int]]:
    """The paths that a recipe extends, each with its line."""
    given = document.table.get("extends", [])
    line = document.lines.get(("extends",), 1)
    if isinstance(given, str):
        parents = [(given, line)]
    elif isinstance(given, list):
        parents = [(parent, document.lines.get(("extends", index), line)) for index, parent in enumerate(given)]
    else:
        parents = [(given, line)]
    for parent, at in parents:
        if not isinstance(parent, str) or not parent or "\0" in parent:
            message = f"has to be the path or name of a recipe, or an array of them, got {parent!r}"
            raise RecipeError([Mistake(f"{document.path}:{at}", "extends", message)])
    return parents


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # a name that no file can have: reading it says so
        return str(path)


def _with_suggestion(error: RecipeError, given: Path, path: Path) -> RecipeError:
    """What else a path that is not there may have meant: a recipe that comes with coview."""
    near = "" if os.path.lexists(path) else did_you_mean(str(given), shipped_names())
    return RecipeError([replace(mistake, message=mistake.message + near) for mistake in error.mistakes])
