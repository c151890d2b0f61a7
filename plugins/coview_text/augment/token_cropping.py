"""Keeps a contiguous part of a text."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Le

import coview
from coview_text.words import join, split


class TokenCropping:
    """Keeps a contiguous span of words: what cropping is to a picture.

    Args:
        share: Smallest and largest share of the words that is kept, at least one word; the share is drawn evenly
            between them, and then the place.
    """

    def __init__(
        self, *, share: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.25, 0.75)
    ) -> None:
        self.smallest, self.largest = share
        if self.smallest > self.largest:
            raise ValueError(f"share has to be the smaller and then the larger share, got {list(share)}")

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The span."""
        words = split(value)
        if len(words) < 2:
            return value
        share, place = rng.numpy.random(2).tolist()
        length = max(1, round(len(words) * (self.smallest + share * (self.largest - self.smallest))))
        if length == len(words):
            return value
        first = int(place * (len(words) - length + 1))
        return join(words[first : first + length])

    def remark(self, value: str, /) -> str:
        """That a text has too few words to be cropped to another part each time."""
        words = len(split(value))
        smallest = max(1, round(words * self.smallest))
        if smallest < words:
            return ""
        return (
            "have so few words that share keeps all of them: their views are not cropped. Set share to less, or leave "
            "token_cropping out"
        )
