"""A recipe's pipeline, taken apart into the steps that can be tried alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.building import build_view_maker
from coview.data.views import PipelineStep
from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.abilities import works_in_encoder
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
    steps: Sequence[PipelineStep]


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


@dataclass(frozen=True)
class Steps:
    """What augments a modality.

    Attributes:
        pipelines: Each step of its first view alone, and all of them in order; none where no step changes samples.
        unseen: The steps that leave samples as they are: what they do, they do to batches or in the encoder.
    """

    pipelines: list[Pipeline]
    unseen: list[Unseen]


def steps_of(recipe: Recipe, registry: Registry, modality: str) -> Steps:
    """The steps of a modality, built once."""
    maker = build_view_maker(recipe, registry, preview=True)
    of_views = zip(recipe.view_modalities, maker.pipelines, strict=True)
    built = {position: step for name, pipeline in of_views if name == modality for position, step, _ in pipeline}
    unseen = []
    for position, step in enumerate(recipe.augment[modality]):
        if position not in built:
            why = "works on the encoder's batches"
        elif works_in_encoder(built[position]):
            why = "works inside the encoder"
        else:
            continue
        unseen.append(Unseen(step.use, _parameters(recipe, modality, position), why))
    first = maker.pipelines[recipe.view_modalities.index(modality)]
    whole = [step for step in first if not works_in_encoder(step.augmentation)]
    alone = [
        Pipeline(recipe.augment[modality][step.position].use, _parameters(recipe, modality, step.position), [step])
        for step in whole
    ]
    return Steps([*alone, Pipeline("all steps", "", whole)] if whole else [], unseen)


def _parameters(recipe: Recipe, modality: str, position: int) -> str:
    return parameters_in_words(recipe.augment[modality][position].parameters)


def parameters_in_words(parameters: Mapping[str, Any]) -> str:
    """What a recipe gives a component, in one line."""
    given = flatten(dict(parameters)) if parameters else {}
    return ", ".join(f"{key} = {value}" for key, value in given.items())
