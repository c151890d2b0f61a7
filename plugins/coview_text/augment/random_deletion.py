"""Deletes words at random."""

from __future__ import annotations

from itertools import compress
from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_text.words import join, split


class RandomDeletion:
    """Deletes each word with the same probability; one random word stays if all would go.

    Args:
        p: Probability of each word to be deleted; EDA: 0.1.
    """

    def __init__(self, *, p: Annotated[float, Ge(0), Le(1)] = 0.1) -> None:
        self.p = p

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The text without some of its words, or the very one given where all stay."""
        words = split(value)
        if len(words) < 2:
            return value
        draws = rng.numpy.random(len(words))
        kept = list(compress(words, (draws >= self.p).tolist()))
        if len(kept) == len(words):
            return value
        return join(kept or [words[int(draws.argmax())]])
