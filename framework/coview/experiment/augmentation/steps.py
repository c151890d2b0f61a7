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


@dataclass(frozen=True)
class Unseen:
    """A step that changes no sample that could be looked at.

    Attributes:
        name, parameters: The step.
        why: Where it works instead.
    """

    name: str
    parameters: str
    why: str

    def __str__(self) -> str:
        given = f" ({self.parameters})" if self.parameters else ""
        return f"{self.name}{given} {self.why}: not shown"


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
    """Each step of the pipeline of the modality's first view alone, and all of them in order; without those that
    are :func:`unseen`. None if nothing is left.
    """
    maker = build_view_maker(recipe, registry, preview=True)
    whole = [
        (position, step)
        for position, step in maker.pipelines[recipe.view_modalities.index(modality)]
        if not _in_encoder(step)
    ]
    if not whole:
        return []
    alone = [
        Pipeline(recipe.augment[modality][position].use, _parameters(recipe, modality, position), [(position, step)])
        for position, step in whole
    ]
    return [*alone, Pipeline("all steps", "", whole)]


def unseen(recipe: Recipe, registry: Registry, modality: str) -> list[Unseen]:
    """The steps of a modality that leave samples as they are: what they do, they do to batches or in the encoder."""
    found = []
    for position, step in enumerate(recipe.augment[modality]):
        augmentation = registry.build("augmentation", step.use, modality=modality, **step.parameters)
        if getattr(augmentation, "batch", False):
            why = "works on the encoder's batches"
        elif _in_encoder(augmentation):
            why = "works inside the encoder"
        else:
            continue
        found.append(Unseen(step.use, _parameters(recipe, modality, position), why))
    return found


def _in_encoder(augmentation: object) -> bool:
    return bool(getattr(augmentation, "in_encoder", False))


def _parameters(recipe: Recipe, modality: str, position: int) -> str:
    parameters = dict(recipe.augment[modality][position].parameters)
    given = flatten(parameters) if parameters else {}
    return ", ".join(f"{key} = {value}" for key, value in given.items())
