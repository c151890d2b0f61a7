"""The data side of a recipe, built: data sets, modalities, pipelines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from coview.data.augmentation import BatchAugmentation, ContextAugmentation
from coview.data.dataset import Dataset
from coview.data.missing_places import missing_places
from coview.data.modality import Collates, FinishesOnDevice, Modality
from coview.data.views import PipelineStep, ViewMaker
from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe import abilities
from coview.recipe.key import Key
from coview.recipe.recipe import AugmentTable, ComponentTable, Recipe


def build_dataset(
    data: ComponentTable, split: str, registry: Registry, modality: Mapping[str, Mapping[str, Any]] | None = None
) -> Dataset:
    """One split of a recipe's data.

    Args:
        data: The data set and its parameters.
        split: Which split.
        registry: Where it comes from.
        modality: The settings of modalities, for a data set that reads its values by them; absent: the defaults.

    Raises:
        CoviewError: If the data is not there, or is empty.
    """
    supplied: dict[str, Any] = {"split": split}
    if "modalities" in registry.parameters("dataset", data.use).supplied:
        names = abilities.modalities_of(registry.resolve("dataset", data.use).factory(), data.parameters)
        tables = modality or {}
        supplied["modalities"] = {name: registry.build("modality", name, **tables.get(name, {})) for name in names}
    dataset: Dataset = registry.build("dataset", data.use, supplied=supplied, **data.parameters)
    if len(dataset) == 0:
        raise CoviewError(f'data "{data.use}": the {split} split is empty')
    return dataset


def build_split(
    recipe: Recipe, split: str, registry: Registry, *, table: ComponentTable | None = None, at: Key = ("data",)
) -> Dataset:
    """One split of a recipe's own data, or of other data that it names.

    Args:
        recipe: The recipe.
        split: The split.
        registry: Where data sets come from.
        table: The other data; absent: the recipe's own.
        at: Where in the recipe it stands.

    Raises:
        CoviewError: If the data is not there, or is empty; with the line of the recipe that asks for it.
    """
    table = table or recipe.data
    try:
        return build_dataset(table, split, registry, recipe.modality)
    except CoviewError as error:
        key = "root" if "root" in table.parameters else "use"
        hints = [error.hint, *missing_places(recipe, table, registry, at)]
        raise CoviewError(
            f"{recipe.where(*at, key)}: {error.message}", "; ".join(filter(None, hints)) or None
        ) from error


def splits_of(data: ComponentTable, registry: Registry) -> tuple[str, ...]:
    """The splits that the data has."""
    return abilities.splits_of(registry.resolve("dataset", data.use).factory(), data.parameters)


def build_modalities(recipe: Recipe, registry: Registry) -> dict[str, Modality]:
    """The modality of each encoder."""
    return {name: registry.build("modality", name, **recipe.modality[name]) for name in recipe.modalities}


def build_collators(recipe: Recipe, registry: Registry) -> dict[str, Collates]:
    """What makes batches for training: raw ones, which are smaller, of a modality that finishes them on the device."""
    return {
        name: _Raw(modality.collate_raw) if isinstance(modality, FinishesOnDevice) else modality
        for name, modality in build_modalities(recipe, registry).items()
    }


def build_view_maker(recipe: Recipe, registry: Registry, *, preview: bool = False) -> ViewMaker:
    """The augmentation pipelines, ready to make views: what happens before samples are collated.

    Args:
        recipe: The recipe.
        registry: Where augmentations come from.
        preview: Whether steps that work on the device are to be there as well, in their form for one sample.
    """
    pipelines: list[list[PipelineStep]] = [[] for _ in recipe.view_modalities]
    for name, steps in recipe.augment.items():
        for position, step in enumerate(steps):
            if step.on_device and not preview:
                continue
            augmentation = registry.build("augmentation", step.use, modality=name, **step.parameters)
            if not (abilities.works_on_batches(augmentation) or abilities.works_on_context(augmentation)):
                views = _views_of(recipe, name, step)
                placed = PipelineStep(position, augmentation, _drawn_as(step, views))
                for view in views:
                    pipelines[view].append(placed)
    return ViewMaker(recipe.seed, recipe.view_modalities, pipelines, recipe.global_views, recipe.roles)


Augments = TypeVar("Augments")


@dataclass(frozen=True)
class DeviceStep(Generic[Augments]):
    """A step that works on the device.

    Attributes:
        modality: Whose batches, or whose context.
        position: Among all steps of the modality.
        views: The views that it makes, by number.
        augmentation: What it does.
        drawn_as: For a step whose draws are shared: the view whose draws the rows of all its views take.
    """

    modality: str
    position: int
    views: tuple[int, ...]
    augmentation: Augments
    drawn_as: int | None = None


BatchStep: TypeAlias = DeviceStep[BatchAugmentation]
"""Works on batches."""

ContextStep: TypeAlias = DeviceStep[ContextAugmentation]
"""Changes what samples share."""


def build_batch_steps(recipe: Recipe, registry: Registry) -> list[BatchStep]:
    """The steps that work on batches on the device, in order."""
    of_samples = (step for step in _device_steps(recipe, registry) if not abilities.works_on_context(step.augmentation))
    return [
        step
        if abilities.works_on_batches(step.augmentation)
        else replace(step, augmentation=step.augmentation.batched())
        for step in of_samples
    ]


def build_context_steps(recipe: Recipe, registry: Registry) -> list[ContextStep]:
    """The steps that change what samples share, in order."""
    return [step for step in _device_steps(recipe, registry) if abilities.works_on_context(step.augmentation)]


def _device_steps(recipe: Recipe, registry: Registry) -> Iterator[DeviceStep[Any]]:
    for name, pipeline in recipe.augment.items():
        for position, step in enumerate(pipeline):
            if step.on_device:
                augmentation = registry.build("augmentation", step.use, modality=name, **step.parameters)
                views = _views_of(recipe, name, step)
                yield DeviceStep(name, position, views, augmentation, _drawn_as(step, views))


@dataclass(frozen=True)
class _Raw:
    """A modality without the last of what it does to a batch."""

    collate: Callable[[Sequence[Any]], Any]


def _drawn_as(step: AugmentTable, views: tuple[int, ...]) -> int | None:
    """The first of the views, where they share their draws: what this one draws does not depend on ``shared``."""
    return views[0] if step.settings.shared and views else None


def _views_of(recipe: Recipe, modality: str, step: AugmentTable) -> tuple[int, ...]:
    return tuple(
        view
        for view, name in enumerate(recipe.view_modalities)
        if name == modality and step.makes(view, recipe.global_views)
    )
