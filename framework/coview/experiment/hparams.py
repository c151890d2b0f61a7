"""What a run was given and what it has reached, as flat names and values: TensorBoard's HPARAMS tab."""

from __future__ import annotations

from collections.abc import Sequence

from coview.evaluate.result import Result, measured_kind
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import flatten


def given_numbers(recipe: Recipe) -> dict[str, bool | int | float | str]:
    """Every value of the recipe, by its dotted path."""
    flat = flatten({key: value for key, value in recipe.tables.items() if key not in ("schema", "evaluate", "sweep")})
    return {key: value if isinstance(value, bool | int | float | str) else str(value) for key, value in flat.items()}


def reached_numbers(results: Sequence[Result]) -> dict[str, float]:
    """One number for each evaluator and label budget."""
    numbers: dict[str, float] = {}
    measured = measured_kind(result.kind for result in results)
    for result in results:
        if result.kind == measured:
            numbers.setdefault(result.name, result.value)
    return numbers
