"""A recipe with a sweep is a comparison: its cells, each a recipe of its own."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from coview.recipe.key import dotted_key
from coview.recipe.override import from_python
from coview.recipe.tables import SweepTable

MOST_CELLS = 10_000


@dataclass(frozen=True)
class Cell:
    """One combination of a sweep's values.

    Attributes:
        values: Dotted key to value.
        levels: What tells it from other cells: each key of the grid with its value as text, and the entry of zip by its
            label under the name of the variant.
    """

    values: dict[str, Any]
    levels: dict[str, str] = field(default_factory=dict)


LABEL = "label"
"""The key of an entry of zip that names it and sets nothing."""


def expand(sweep: SweepTable, variant: str = "variant") -> list[Cell]:
    """Every combination of the grid with every entry of zip; the last key of the grid varies fastest.

    Args:
        sweep: The table.
        variant: What the entries of zip are called.

    Raises:
        ValueError: If a key is no dotted key, is both in the grid and in zip, or has no values; or two entries
            of zip have one label, or there are too many.
    """
    entries = [{key: value for key, value in entry.items() if key != LABEL} for entry in sweep.zip]
    keys = [*sweep.grid, *(key for entry in entries for key in entry)]
    for key in keys:
        if dotted_key(key)[0] in ("sweep", "extends"):
            raise ValueError(f'"{key}" cannot be swept over')
    for key, values in sweep.grid.items():
        if not values:
            raise ValueError(f'"{key}" has no values')
        if any(key in entry for entry in entries):
            raise ValueError(f'"{key}" is both in grid and in zip')
    if not sweep.grid and not sweep.zip:
        return []
    cells = math.prod(map(len, sweep.grid.values())) * max(1, len(sweep.zip))
    if cells > MOST_CELLS:
        raise ValueError(f"it has {cells:,} cells, and at most {MOST_CELLS:,} are allowed")
    combinations = [dict(zip(sweep.grid, values, strict=True)) for values in product(*sweep.grid.values())]
    labels = _labels(sweep.zip)
    expanded = [
        Cell(
            {**entry, **combination},
            {**({variant: label} if label else {}), **{key: as_level(value) for key, value in combination.items()}},
        )
        for entry, label in zip(entries or [{}], labels or [""], strict=True)
        for combination in combinations
    ]
    for cell in expanded:
        from_python(cell.values)  # which refuses keys that do not go together
    return expanded


def as_level(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={as_level(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _labels(entries: list[dict[str, Any]]) -> list[str]:
    labels = []
    for entry in entries:
        label = entry.get(LABEL, as_level({key: value for key, value in entry.items() if key != LABEL}))
        if not isinstance(label, str) or not label:
            raise ValueError(f"a label of zip has to be a string that is not empty, got {label!r}")
        labels.append(label)
    twice = [label for label, times in Counter(labels).items() if times > 1]
    if twice:
        raise ValueError(f"two entries of zip are both called {twice[0]!r}")
    return labels
