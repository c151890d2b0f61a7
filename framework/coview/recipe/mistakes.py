"""Collecting mistakes with the place of each."""

from __future__ import annotations

from coview.errors import Mistake, RecipeError
from coview.recipe.key import Key, dotted
from coview.recipe.merge import Layers


class Mistakes:
    """The mistakes found so far in one recipe.

    Attributes:
        layers: The recipe's, which say where each value was written.
    """

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self._cause: BaseException | None = None
        self._beside: list[Mistake] = []
        self._found: dict[tuple[str, str], Mistake] = {
            (mistake.path, mistake.message): mistake for mistake in layers.mistakes
        }

    def add(self, path: Key, message: str, cause: BaseException | None = None) -> None:
        """Notes a mistake at ``path``; the same one twice is one.

        Args:
            path: Where in the recipe.
            message: What is wrong.
            cause: What was raised, for ``--debug``.
        """
        self._cause = self._cause or cause
        mistake = Mistake(self.where(path), dotted(path), message)
        self._found.setdefault((mistake.path, message), mistake)

    def add_beside_others(self, path: Key, message: str) -> None:
        """Notes what a run finds out by itself, to be told with the mistakes that there are; alone it is none."""
        self._beside.append(Mistake(self.where(path), dotted(path), message))

    def where(self, path: Key) -> str:
        """``file:line`` of ``path``."""
        return self.layers.where(path)

    def tables(self) -> set[str]:
        """The top-level keys in which something is wrong."""
        return {path.split(".")[0] for path, _ in self._found}

    def raise_if_any(self) -> None:
        """Raises a :class:`RecipeError` with all of them, in the order of the places they are at."""
        if self._found:
            raise RecipeError(sorted([*self._found.values(), *self._beside], key=_place)) from self._cause


def _place(mistake: Mistake) -> tuple[str, int]:
    file, _, line = mistake.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (mistake.where, 0)
