"""A recipe with a sweep is a comparison: its cells, each a recipe of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from coview.recipe.override import from_python
from coview.recipe.tables import SweepTable


@dataclass(frozen=True)
class Cell:
    """One combination of a sweep's values.

    Attributes:
        values: Dotted key to value.
    """

    values: dict[str, Any]

    def overrides(self) -> dict[str, Any]:
        """The values as a table to merge over the recipe."""
        return from_python(self.values)


def expand(sweep: SweepTable) -> list[Cell]:
    """Every combination of the grid with every entry of zip; the last key of the grid varies fastest.

    Raises:
        ValueError: If a key is both in the grid and in zip, or has no values.
    """
    for key, values in sweep.grid.items():
        if not values:
            raise ValueError(f'"{key}" has no values')
        if any(key in entry for entry in sweep.zip):
            raise ValueError(f'"{key}" is both in grid and in zip')
    if not sweep.grid and not sweep.zip:
        return []
    combinations = [dict(zip(sweep.grid, values, strict=True)) for values in product(*sweep.grid.values())]
    return [Cell({**entry, **combination}) for entry in sweep.zip or [{}] for combination in combinations]
