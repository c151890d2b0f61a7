"""What the recipes of a comparison differ in, and what was held fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coview.compare.table import Table
from coview.recipe.snapshot import flatten, hashed_part
from coview.recipe.sweep import as_level

ABSENT = "–"


@dataclass(frozen=True)
class Differences:
    """Of the recipes.

    Attributes:
        varied: Key to variant to its value, for keys that differ between the variants of a modality.
        between: Key to modality to its value, for keys that differ between modalities only.
        fixed: Key to value, for what all have in common.
    """

    varied: Mapping[str, Mapping[str, str]]
    between: Mapping[str, Mapping[str, str]]
    fixed: Mapping[str, str]


def differences(table: Table) -> Differences:
    """Compares the resolved recipes, every default in them; the seed is no difference."""
    flat = [(row, {key: as_level(value) for key, value in _flat(row.recipe.tables).items()}) for row in table.rows]
    varied: dict[str, dict[str, str]] = {}
    between: dict[str, dict[str, str]] = {}
    fixed: dict[str, str] = {}
    for key in dict.fromkeys(key for _, values in flat for key in values):
        by_modality: dict[str, dict[str, None]] = {}
        by_variant: dict[str, dict[str, None]] = {}
        for row, values in flat:
            by_modality.setdefault(row.modality, {})[values.get(key, ABSENT)] = None
            by_variant.setdefault(row.variant, {})[values.get(key, ABSENT)] = None
        if any(len(values) > 1 for values in by_modality.values()):
            varied[key] = {name: " / ".join(values) for name, values in by_variant.items()}
        elif len({tuple(values) for values in by_modality.values()}) > 1:
            between[key] = {name: next(iter(values)) for name, values in by_modality.items()}
        else:
            fixed[key] = next(iter(next(iter(by_modality.values()))))
    return Differences(varied, between, fixed)


def _flat(tables: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in flatten(hashed_part(tables)).items() if key not in ("seed", "schema")}
