"""Swaps words at random."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_text.words import join, split


class RandomSwap:
    """Swaps two words at random places, again and again.

    Args:
        share: How often, as a share of the words, at least once; EDA: 0.1.
    """

    def __init__(self, *, share: Annotated[float, Ge(0), Le(1)] = 0.1) -> None:
        self.share = share

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text in another order."""
        words = split(value)
        count = len(words)
        if count < 2 or self.share == 0:
            return value
        swaps = max(1, int(self.share * count))
        draws = rng.numpy.random(2 * swaps).tolist()
        for a, b in zip(draws[:swaps], draws[swaps:], strict=True):
            i = int(a * count)
            j = (i + 1 + int(b * (count - 1))) % count  # any but i
            words[i], words[j] = words[j], words[i]
        return join(words)
