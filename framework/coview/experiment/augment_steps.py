"""The augmentations of a recipe, as an evaluator that gets the encoder itself sees them."""

from __future__ import annotations

from typing import Any

from coview.data.building import build_view_maker
from coview.evaluate.encoder_subject import AugmentStep
from coview.plugins.registry import Registry
from coview.recipe.recipe import ComponentTable, Recipe


def augment_steps(recipe: Recipe, registry: Registry, modality: str) -> list[AugmentStep]:
    """The steps that make the first view of a modality, in order; none where no view is of it."""
    if modality not in recipe.view_modalities:
        return []
    steps = recipe.augment[modality]
    maker = build_view_maker(recipe, registry, preview=True)
    pipeline = maker.pipelines[recipe.view_modalities.index(modality)]
    return [AugmentStep(steps[at].use, _parameters(steps[at]), augmentation) for at, augmentation, _ in pipeline]


def _parameters(table: ComponentTable) -> dict[str, Any]:
    """As the recipe has them: a protocol is the same on any machine."""
    return {key: table.written.get(key, value) for key, value in table.parameters.items()}
