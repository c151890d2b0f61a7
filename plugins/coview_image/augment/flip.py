"""Mirrors the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import albumentations
from annotated_types import Ge, Le

from coview_image.augment.batched.flip import RandomFlipOfBatch
from coview_image.augment.step import AlbumentationsStep


class RandomFlip(AlbumentationsStep):
    """Mirrors the picture.

    Args:
        direction: "horizontal" swaps left and right, "vertical" swaps top and bottom; SimCLR: horizontal.
        p: Probability of being applied; SimCLR: 0.5.
    """

    def __init__(
        self,
        *,
        direction: Literal["horizontal", "vertical"] = "horizontal",
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        self.direction, self.p = direction, p
        super().__init__(
            albumentations.HorizontalFlip(p=p) if direction == "horizontal" else albumentations.VerticalFlip(p=p)
        )

    def batched(self) -> RandomFlipOfBatch:
        """Its form for a whole batch."""
        return RandomFlipOfBatch(self.direction, self.p)
