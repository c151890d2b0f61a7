"""Why the encodings of a frozen encoder are not the same in each epoch, if they are not."""

from __future__ import annotations

from coview.data.dataset import Dataset
from coview.data.several_values import value_counts_of
from coview.model.context import takes_context
from coview.model.topology import Topology
from coview.plugins.registry import Registry
from coview.recipe.abilities import is_deterministic
from coview.recipe.recipe import Recipe


def why_views_vary(recipe: Recipe, registry: Registry, topology: Topology, dataset: Dataset, modality: str) -> str:
    """Why an encoder, frozen as it is, has to see the views of a sample anew in each epoch; empty if it has not.

    Args:
        recipe: The recipe.
        registry: Where its augmentations come from.
        topology: The model.
        dataset: What it is trained on.
        modality: The encoder's.
    """
    views = [view for view, name in enumerate(recipe.view_modalities) if name == modality]
    if len(views) != 1 or views[0] >= recipe.global_views:
        return f"there are {len(views)} views of a sample"
    if modality in value_counts_of(dataset):
        return "samples have several values of it, of which each epoch draws one"
    if recipe.mask is not None:
        return "a mask hides others of its tokens in each epoch"
    if topology.outside is not None:
        return "the teacher sees the same views"
    if recipe.teacher is not None and recipe.teacher.shuffle_groups > 1:
        return "the teacher shuffles the views"
    if takes_context(topology.student.encoder(modality)):
        return "it sees a sample in the context of its data"
    for step in recipe.augment[modality]:
        if step.makes(views[0], recipe.global_views):
            augmentation = registry.build("augmentation", step.use, modality=modality, **step.parameters)
            if not is_deterministic(augmentation):
                return f"{step.use} makes another view of a sample in each epoch"
    return ""
