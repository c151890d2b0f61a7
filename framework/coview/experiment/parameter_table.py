"""Which parameters of a model are trained how, as the report of a run shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coview.model.parameter_groups import GroupOfParameters, ParameterSettings
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
        trained = not settings.is_frozen_for_good
        rows.append(
            {
                "parameters": _parts(group),
                "numbers": sum(parameter.numel() for parameter in group.parameters.values()),
                "learning rate": peak * settings.lr_scale if trained else None,
                "schedule": schedule.use if trained else None,
                "frozen": _frozen(settings),
                "besides": ", ".join(f"{key} = {value}" for key, value in settings.options.items()) or None,
            }
        )
    return rows


def _frozen(settings: ParameterSettings) -> str | None:
    if settings.is_frozen_for_good:
        return "always"
    if settings.frozen_for is None:
        return None
    return f"first {settings.freeze} steps" if isinstance(settings.freeze, int) else f"first {settings.freeze}"


def _parts(group: GroupOfParameters) -> str:
    """The parts of the model that the parameters are in, and how many of each: ``encoder (62), projector (4)``."""
    counts = Counter(name.split(".")[0] for name in group.parameters)
    return ", ".join(f"{part} ({count})" for part, count in counts.items())
