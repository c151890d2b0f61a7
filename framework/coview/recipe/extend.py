"""A recipe file and the files it extends, parents first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from coview.errors import Mistake, RecipeError
from coview.plugins.nearest import did_you_mean
from coview.recipe.read import Document, read_document
from coview.recipe.shipped import find_recipe, shipped_names


def read_with_parents(path: Path | str) -> list[Document]:
    """Reads a recipe and everything it extends; the furthest parent comes first.

    Raises:
        RecipeError: If a file cannot be read, ``extends`` is no string, or the files extend each other in a circle.
    """
    documents: list[Document] = []
    seen: list[str] = []
    current = find_recipe(path)
    named_by = ""
    while True:
        real = _real(current)
        if real in seen:
            circle = " → ".join(
                str(document.path) for document in reversed(documents[: len(documents) - seen.index(real)])
            )
            raise RecipeError(
                [
                    Mistake(
                        named_by,
                        "extends",
                        f"the recipes extend each other in a circle: {circle} → {current}",
                    )
                ]
            )
        try:
            document = read_document(current)
        except RecipeError as error:
            if not named_by:
                raise _with_suggestion(error, current) from None
            raise RecipeError([Mistake(named_by, "extends", str(mistake)) for mistake in error.mistakes]) from None
        documents.insert(0, document)
        seen.append(real)
        parent = document.table.get("extends")
        if parent is None:
            return documents
        named_by = f"{document.path}:{document.lines.get(('extends',), 1)}"
        if not isinstance(parent, str) or not parent or "\0" in parent:
            raise RecipeError([Mistake(named_by, "extends", f"has to be the path of a recipe, got {parent!r}")])
        current = current.parent / parent


def _real(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # a name that no file can have: reading it says so
        return str(path)


def _with_suggestion(error: RecipeError, path: Path) -> RecipeError:
    """What else a path that is not there may have meant: a recipe that comes with coview."""
    near = "" if os.path.lexists(path) else did_you_mean(str(path), shipped_names())
    return RecipeError([replace(mistake, message=mistake.message + near) for mistake in error.mistakes])
