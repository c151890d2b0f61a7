"""Views that differ by the encoder's dropout alone."""

from __future__ import annotations

from typing import ClassVar

import coview


class DropoutViews:
    """Leaves the text as it is: its views differ by the encoder's dropout, which is on in training (SimCSE).

    The same as no augmentation at all, said in the recipe.
    """

    in_encoder: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True

    def __call__(self, value: str, rng: coview.Rng, /) -> str:
        """The very text."""
        return value
