"""Which parameters of a model are trained how, as the report of a run shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coview.model.parameter_groups import GroupOfParameters
from coview.recipe.recipe import Recipe


def parameter_table(recipe: Recipe, groups: Sequence[GroupOfParameters], peak: float) -> list[dict[str, Any]]:
    """One row for each group: what it is of, and how it is trained.

    Args:
        recipe: The recipe.
        groups: All of them.
        peak: The learning rate of parameters that no group of the recipe names.
    """
    if recipe.optimizer is None:
        return []
    rows = []
    for group in groups:
        settings = group.settings
        schedule = settings.schedule or recipe.schedule
        frozen = settings.freeze not in (None, False)
        rows.append(
            {
                "parameters": _parts(group),
                "numbers": sum(parameter.numel() for parameter in group.parameters.values()),
                "learning rate": None if settings.freeze is True else peak * settings.lr_scale,
                "schedule": None if settings.freeze is True else schedule.use,
                "frozen": ("always" if settings.freeze is True else f"first {_length(settings.freeze)}")
                if frozen
                else None,
                "besides": ", ".join(f"{key} = {value}" for key, value in settings.options.items()) or None,
            }
        )
    return rows


def _length(freeze: bool | int | str | None) -> str:
    return f"{freeze} steps" if isinstance(freeze, int) else str(freeze)


def _parts(group: GroupOfParameters) -> str:
    """The parts of the model that the parameters are in, and how many of each: ``encoder (62), projector (4)``."""
    counts = Counter(name.split(".")[0] for name in group.parameters)
    return ", ".join(f"{part} ({count})" for part, count in counts.items())
