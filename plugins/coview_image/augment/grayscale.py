"""Drops the colour, keeps the three channels."""

from __future__ import annotations

from typing import Annotated

import albumentations
import numpy as np
from annotated_types import Ge, Le

import coview
from coview_image.augment.batched.grayscale import RandomGrayscaleOfBatch
from coview_image.augment.step import AlbumentationsStep
from coview_image.pixels import spread_of_channels


class RandomGrayscale(AlbumentationsStep):
    """Replaces all three channels by the luma. A picture of one channel stays as it is.

    Args:
        p: Probability of being applied; SimCLR: 0.2.
    """

    def __init__(self, *, p: Annotated[float, Ge(0), Le(1)] = 0.2) -> None:
        self.p = p
        super().__init__(albumentations.ToGray(num_output_channels=3, p=p))

    def __call__(self, value: np.ndarray, rng: coview.Rng, /) -> np.ndarray:
        """The picture, its channels equal or as they were."""
        if value.ndim == 2 or value.shape[2] == 1:
            return value
        return super().__call__(value, rng)

    def remark(self, value: np.ndarray, /) -> str:
        """That there is no colour to drop."""
        if self.p == 0 or spread_of_channels(value).any():
            return ""
        return "are grey already: there is no colour to drop. Leave random_grayscale out"

    def batched(self) -> RandomGrayscaleOfBatch:
        """Its form for a whole batch."""
        return RandomGrayscaleOfBatch(self.p)
