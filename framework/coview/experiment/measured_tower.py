"""Which tower of a model is measured, embedded with or exported, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class MeasuredTower:
    """A tower.

    Attributes:
        modality: Its.
        projector: Whether its projections are meant, and not what its encoder makes before the projector.
    """

    modality: str
    projector: bool = False

    def name_in(self, recipe: Recipe) -> str:
        """What tells its numbers from those of the first tower before the projector, whose name is empty."""
        modality = "" if self.modality == recipe.modalities[0] else self.modality
        return "/".join(filter(None, (modality, "projector" * self.projector)))


def tower_of(recipe: Recipe, modality: str | None, *, projector: bool = False) -> MeasuredTower:
    """The tower of a modality, by default of the first.

    Raises:
        CoviewError: If the recipe has no such modality.
    """
    if modality is None:
        return MeasuredTower(recipe.modalities[0], projector)
    if modality not in recipe.modalities:
        raise CoviewError(
            f'"{modality}" is not a modality of {recipe.name}{did_you_mean(modality, recipe.modalities)}',
            hint=f"there is an encoder of {' and one of '.join(recipe.modalities)}",
        )
    return MeasuredTower(modality, projector)
