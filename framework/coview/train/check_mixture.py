"""Whether every data set of a mixture comes in a run: a sampler, or a short run, may leave one out."""

from __future__ import annotations

import numpy as np

from coview.data.dataset import Dataset
from coview.data.mixture import Mixture
from coview.data.order import Order
from coview.errors import CoviewError
from coview.recipe.recipe import Recipe
from coview.train.length import Length

_EPOCHS = 10
"""How many epochs are looked at, at most: in nearly all cases the first has all of them."""


def check_mixture(recipe: Recipe, dataset: Dataset, order: Order, length: Length) -> None:
    """Raises :class:`CoviewError` if no sample of one of the data sets comes, with file and line.

    Args:
        recipe: The recipe.
        dataset: The training split.
        order: Of the run.
        length: Of the run.
    """
    if not isinstance(dataset, Mixture):
        return
    missing = set(range(len(dataset.parts)))
    left = length.total_steps * recipe.train.accumulate
    for epoch in range(_EPOCHS):
        batches = min(left, order.batches_per_epoch)
        missing -= set(np.unique(dataset.parts_of(order.epoch(epoch)[: batches * order.batch_size])).tolist())
        left -= batches
        if not missing:
            return
        if not left:
            break
    data, at = recipe.trains_on[min(missing)]
    key = "use" if recipe.mixture[min(missing)].weight is None else "weight"
    within = "the whole run" if not left else f"its first {_EPOCHS} epochs"
    raise CoviewError(
        f'{recipe.where(*at, key)}: no sample of "{data.use}" comes in {within}: an epoch has '
        f"{dataset.counts[min(missing)]:,} of it among {dataset.samples_per_epoch:,}, and the sampler is "
        f'"{recipe.sampler.use}"',
        hint="train for longer, give it a larger weight, or take another sampler",
    )
