"""The data side of a recipe, built: data sets, modalities, pipelines."""

from __future__ import annotations

from coview.data.contracts import Augmentation, Dataset, Modality
from coview.data.views import ViewMaker
from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.recipe import ComponentTable, Recipe


def build_dataset(data: ComponentTable, split: str, registry: Registry) -> Dataset:
    """One split of a recipe's data.

    Raises:
        CoviewError: If the data is not there, or is empty.
    """
    dataset: Dataset = registry.build("dataset", data.use, supplied={"split": split}, **data.parameters)
    if len(dataset) == 0:
        raise CoviewError(f'data "{data.use}": the {split} split is empty')
    return dataset


def build_split(recipe: Recipe, split: str, registry: Registry) -> Dataset:
    """One split of a recipe's own data.

    Raises:
        CoviewError: If the data is not there, or is empty; with the line of the recipe that asks for it.
    """
    try:
        return build_dataset(recipe.data, split, registry)
    except CoviewError as error:
        key = "root" if "root" in recipe.data.parameters else "use"
        raise CoviewError(f"{recipe.where('data', key)}: {error.message}", error.hint) from error


def splits_of(data: ComponentTable, registry: Registry) -> tuple[str, ...]:
    """The splits that the data has."""
    factory = registry.resolve("dataset", data.use).factory()
    return tuple(getattr(factory, "splits", ("train",)))


def build_modalities(recipe: Recipe, registry: Registry) -> dict[str, Modality]:
    """The modality of each encoder."""
    return {name: registry.build("modality", name, **recipe.modality[name]) for name in recipe.modalities}


def build_view_maker(recipe: Recipe, registry: Registry) -> ViewMaker:
    """The augmentation pipelines, ready to make views."""

    built: dict[str, list[Augmentation]] = {
        name: [registry.build("augmentation", step.use, modality=name, **step.parameters) for step in steps]
        for name, steps in recipe.augment.items()
    }
    pipelines = [
        [
            (position, augmentation)
            for position, (step, augmentation) in enumerate(zip(recipe.augment[name], built[name], strict=True))
            if step.makes(view, recipe.global_views)
        ]
        for view, name in enumerate(recipe.view_modalities)
    ]
    return ViewMaker(recipe.seed, recipe.view_modalities, pipelines, recipe.global_views)
