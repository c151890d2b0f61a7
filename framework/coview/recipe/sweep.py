"""A recipe with a sweep is a comparison: its cells, each a recipe of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

from coview.recipe.override import dotted_key, from_python
from coview.recipe.tables import SweepTable

MOST_CELLS = 10_000


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
        ValueError: If a key is no dotted key, is both in the grid and in zip, or has no values; or there are too many.
    """
    keys = [*sweep.grid, *(key for entry in sweep.zip for key in entry)]
    for key in keys:
        if dotted_key(key)[0] in ("sweep", "extends"):
            raise ValueError(f'"{key}" cannot be swept over')
    for key, values in sweep.grid.items():
        if not values:
            raise ValueError(f'"{key}" has no values')
        if any(key in entry for entry in sweep.zip):
            raise ValueError(f'"{key}" is both in grid and in zip')
    if not sweep.grid and not sweep.zip:
        return []
    cells = math.prod(map(len, sweep.grid.values())) * max(1, len(sweep.zip))
    if cells > MOST_CELLS:
        raise ValueError(f"it has {cells:,} cells, and {MOST_CELLS:,} are the most")
    combinations = [dict(zip(sweep.grid, values, strict=True)) for values in product(*sweep.grid.values())]
    expanded = [Cell({**entry, **combination}) for entry in sweep.zip or [{}] for combination in combinations]
    for cell in expanded:
        cell.overrides()
    return expanded
