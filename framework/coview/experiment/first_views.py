"""The views of the first samples: shown in TensorBoard and kept for the report, and compared with their originals."""

from __future__ import annotations

import itertools

from coview.data.building import build_modalities
from coview.data.dataset import Dataset
from coview.data.rng import Rng
from coview.data.same import same
from coview.data.values import readable_samples
from coview.data.views import ViewMaker
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.tracker import Tracker

_SHOWN = 8
_COMPARED = 128


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
    for sample in itertools.islice(readable_samples(dataset), _SHOWN):
        views = zip(recipe.view_modalities, maker(sample, 0, rng), strict=True)
        rows.append([sample[name], *(view for of, view in views if of == name)])
        label = "" if dataset.classes is None or sample.label is None else dataset.classes[sample.label]
        captions.append(" ".join(filter(None, (label, f"({sample.id})"))))
    if rows:
        tracker.views(modality, rows, captions, step)


def unchanged_share(recipe: Recipe, dataset: Dataset, maker: ViewMaker) -> float | None:
    """The share of the first samples' views that equal their originals, in [0, 1]; None where nothing is augmented."""
    if not any(recipe.augment.values()):
        return None
    rng = Rng()
    equal = [
        same(value, sample[of])
        for sample in itertools.islice(readable_samples(dataset), _COMPARED)
        for of, value in zip(recipe.view_modalities, maker(sample, 0, rng), strict=True)
    ]
    return sum(equal) / max(1, len(equal))
