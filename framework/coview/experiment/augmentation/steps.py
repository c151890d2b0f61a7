"""A recipe's pipeline, taken apart into the steps that can be tried alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.building import build_view_maker
from coview.data.contracts import Augmentation, Dataset
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64
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


class Augmented:
    """A data set whose values have gone through a pipeline: a data set again.

    Args:
        dataset: The samples.
        modality: Which of their values.
        rows: Which samples.
        steps: The pipeline; none leaves the values as they are.
        seed, view: Of the randomness.
    """

    def __init__(
        self,
        dataset: Dataset,
        modality: str,
        rows: Sequence[int],
        steps: Sequence[tuple[int, Augmentation]],
        *,
        seed: int = 0,
        view: int = 0,
    ) -> None:
        self._dataset, self._modality, self._rows, self._steps = dataset, modality, rows, steps
        self._seed, self._view = seed, view

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Sample:
        sample = self._dataset[self._rows[index]]
        value, rng = sample[self._modality], Rng()
        for position, augmentation in self._steps:
            value = augmentation(value, rng.seek(self._seed, 0, id_as_int64(sample.id), self._view, position))
        return Sample({self._modality: value}, sample.id, sample.label, sample.group, sample.score)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._dataset, name)
