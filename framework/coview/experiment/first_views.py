"""The views of the first samples: shown in TensorBoard and kept for the report."""

from __future__ import annotations

import itertools

from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.present import having
from coview.data.rng import Rng
from coview.data.values import readable_samples
from coview.data.views import ViewMaker
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.tracker import Tracker

_SHOWN = 8


def show_views(
    recipe: Recipe, registry: Registry, dataset: Dataset, maker: ViewMaker, tracker: Tracker, step: int
) -> None:
    """Shows the views of the first samples, as the first epoch sees them.

    Args:
        recipe: The run's.
        registry: Where its modality comes from.
        dataset: The training split.
        maker: Makes the views.
        tracker: Shows them.
        step: What to call the time of showing.
    """
    rng = Rng()
    name, modality = next(iter(build_modalities(recipe, registry).items()))
    rows, captions = [], []
    for sample in itertools.islice(readable_samples(having(dataset, [name])), _SHOWN):
        views = zip(recipe.view_modalities, maker(sample, 0, rng), strict=True)
        rows.append([sample[name], *(view for of, view in views if of == name)])
        label = "" if dataset.classes is None or sample.label is None else dataset.classes[sample.label]
        captions.append(" ".join(filter(None, (label, f"({sample.id})"))))
    if rows:
        tracker.views(modality, rows, captions, step)
