"""Crops a random part of the picture and resizes it: the most effective augmentation of SimCLR's."""

from __future__ import annotations

from typing import Annotated, Literal

import albumentations
import cv2
import numpy as np
from annotated_types import Gt, Le

from coview_image.augment.batched.random_resized_crop import RandomResizedCropOfBatch
from coview_image.augment.step import AlbumentationsStep
from coview_image.pixels import LARGEST_SIDE

Interpolation = Literal["nearest", "linear", "cubic"]
_INTERPOLATION = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


class RandomResizedCrop(AlbumentationsStep):
    """Crops a random part of the picture and resizes it to a square.

    A part that is larger than the square is averaged over areas, so that it does not alias.

    Args:
        size: Side of the square that comes out, in pixels.
        scale: Smallest and largest area of the part, as a share of the picture's; SimCLR: [0.08, 1.0]. Small pictures
            need less: [0.2, 1.0] is usual at 28×28 and 32×32.
        ratio: Smallest and largest ratio of the part's width to its height; SimCLR: [3/4, 4/3].
        interpolation: How a part that is smaller than the square is enlarged.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)],
        scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0),
        ratio: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (3 / 4, 4 / 3),
        interpolation: Interpolation = "linear",
    ) -> None:
        for name, (low, high) in (("scale", scale), ("ratio", ratio)):
            if low > high:
                raise ValueError(f"{name} has to be [smallest, largest], got [{low}, {high}]")
        self.size, self.scale, self.ratio, self.interpolation = size, scale, ratio, interpolation
        super().__init__(
            albumentations.RandomResizedCrop(
                size=(size, size),
                scale=scale,
                ratio=ratio,
                interpolation=_INTERPOLATION[interpolation],
                area_for_downscale="image",
                p=1.0,
            )
        )

    def remark(self, value: np.ndarray, /) -> str:
        """That the part is always the whole picture, which it cannot be of one that is not square."""
        height, width = value.shape[:2]
        if height != width or round(height * self.scale[0] ** 0.5) < height:
            return ""
        low, high = self.scale
        return (
            f"are not cropped: scale = [{low:g}, {high:g}] takes the whole picture each time. Set the smallest area to "
            "less, such as scale = [0.2, 1.0]"
        )

    def batched(self) -> RandomResizedCropOfBatch:
        """Its form for a whole batch."""
        return RandomResizedCropOfBatch(self.size, self.scale, self.ratio, self.interpolation)
