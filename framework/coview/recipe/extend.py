"""A recipe file and the files it extends, parents first."""

from __future__ import annotations

from pathlib import Path

from coview.errors import Mistake, RecipeError
from coview.recipe.read import Document, read_document
from coview.recipe.shipped import find_recipe


def read_with_parents(path: Path | str) -> list[Document]:
    """Reads a recipe and everything it extends; the furthest parent comes first.

    Raises:
        RecipeError: If a file cannot be read, ``extends`` is no string, or the files extend each other in a circle.
    """
    documents: list[Document] = []
    seen: list[Path] = []
    current = find_recipe(path)
    named_by = ""
    while True:
        real = current.resolve()
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
                raise
            raise RecipeError(
                [Mistake(named_by, "extends", str(mistake)) for mistake in error.mistakes]
            ) from None
        documents.insert(0, document)
        seen.append(real)
        parent = document.table.get("extends")
        if parent is None:
            return documents
        named_by = f"{document.path}:{document.lines.get(('extends',), 1)}"
        if not isinstance(parent, str) or not parent or "\0" in parent:
            raise RecipeError(
                [Mistake(named_by, "extends", f"has to be the path of a recipe, got {parent!r}")]
            )
        current = current.parent / parent
