"""Whether augmentations do anything: the share of views that equal their originals."""

from __future__ import annotations

import itertools

from coview.data.dataset import Dataset
from coview.data.rng import Rng
from coview.data.same import same
from coview.data.values import readable_samples
from coview.data.views import ViewMaker
from coview.recipe.recipe import Recipe

_COMPARED = 128


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
