"""Negatives of BPR: an item that the user has not chosen."""

from __future__ import annotations

import numpy as np

import coview
from coview_recsys.modalities import Item

_TRIES = 1000


class OtherItem:
    """Replaces an item by one that the user of the sample has not chosen in training, drawn uniformly.

    It is drawn anew in each epoch. Give it to a view of its own: ``views = ["other"]``.
    """

    def __call__(self, value: Item, rng: coview.Rng, /) -> Item:
        """Another item.

        Raises:
            CoviewError: If the value does not say what the user has chosen, or the user has chosen everything.
        """
        if value.chosen is None or not value.items:
            raise coview.CoviewError("other_item needs items that say what their user has chosen, as in training data")
        for _ in range(_TRIES):
            number = int(rng.numpy.integers(value.items))
            at = int(np.searchsorted(value.chosen, number))
            if at == len(value.chosen) or value.chosen[at] != number:
                return value._replace(number=number)
        raise coview.CoviewError(
            f"other_item has found no item in {_TRIES:,} draws that its user has not chosen: the user has chosen "
            f"{len(value.chosen):,} of {value.items:,}"
        )
