"""A recipe's pipeline, taken apart into the steps that can be tried alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coview.data.building import build_view_maker
from coview.data.contracts import Augmentation
from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import flatten


@dataclass(frozen=True)
class Pipeline:
    """Some steps of a modality's pipeline.

    Attributes:
        name: What to call it.
        parameters: Of a single step, as text.
        steps: The augmentations with their positions.
    """

    name: str
    parameters: str
    steps: Sequence[tuple[int, Augmentation]]


def augmented(recipe: Recipe) -> tuple[str, ...]:
    """The modalities that something augments.

    Raises:
        CoviewError: If there is none.
    """
    found = tuple(name for name in dict.fromkeys(recipe.view_modalities) if recipe.augment[name])
    if not found:
        raise CoviewError(f"{recipe.where('augment')}: the recipe augments nothing")
    return found


def pipelines(recipe: Recipe, registry: Registry, modality: str) -> list[Pipeline]:
    """Each step of the pipeline of the modality's first view alone, and all of them in order."""
    whole = build_view_maker(recipe, registry, preview=True).pipelines[recipe.view_modalities.index(modality)]
    alone = [
        Pipeline(recipe.augment[modality][position].use, _parameters(recipe, modality, position), [(position, step)])
        for position, step in whole
    ]
    return [*alone, Pipeline("all steps", "", whole)]


def _parameters(recipe: Recipe, modality: str, position: int) -> str:
    parameters = dict(recipe.augment[modality][position].parameters)
    given = flatten(parameters) if parameters else {}
    return ", ".join(f"{key} = {value}" for key, value in given.items())
