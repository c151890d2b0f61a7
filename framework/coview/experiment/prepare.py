"""What augmentations make before training."""

from __future__ import annotations

from rich.console import Console

from coview.data.augmentation import PreparedAhead
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.experiment.splits import Splits
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.progress import track_items


def prepare_augmentations(recipe: Recipe, registry: Registry, console: Console) -> list[str]:
    """Lets the augmentations of a recipe make what they read in training; what is there already is not made again.

    Returns:
        The names of those that did.

    Raises:
        CoviewError: If one is not the first step of its modality: it would meet other values in training.
    """
    dataset = Splits(recipe, registry).training
    prepared = []
    for modality, steps in recipe.augment.items():
        for position, step in enumerate(steps):
            augmentation = registry.build("augmentation", step.use, modality=modality, **step.parameters)
            if not isinstance(augmentation, PreparedAhead):
                continue
            if position:
                where = recipe.where("augment", position)
                raise CoviewError(
                    f"{where}: {step.use} is prepared from the values of the data, so it has to be the first step"
                )
            done = augmentation.prepare(readable_values(dataset, modality))
            for _ in track_items(done, len(dataset), step.use, size=int, console=console):
                pass
            prepared.append(step.use)
    return prepared
