"""Rotates the picture about its centre."""

from __future__ import annotations

from typing import Annotated, Literal

import albumentations
import cv2
from annotated_types import Ge, Gt, Le

from coview_image.augment.batched.rotation import RandomRotationOfBatch
from coview_image.augment.step import AlbumentationsStep


class RandomRotation(AlbumentationsStep):
    """Rotates the picture about its centre, keeping its size.

    SimCLR's pipeline has none: a network that has to ignore the angle loses what the angle tells.

    Args:
        degrees: The angle is drawn from -degrees to degrees.
        border: What fills the corners: "constant" black, or "reflect" the picture mirrored at its edges.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        degrees: Annotated[float, Gt(0), Le(180)] = 15.0,
        border: Literal["constant", "reflect"] = "constant",
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        self.degrees, self.border, self.p = degrees, border, p
        mode = cv2.BORDER_CONSTANT if border == "constant" else cv2.BORDER_REFLECT_101
        super().__init__(
            albumentations.Rotate(limit=(-degrees, degrees), interpolation=cv2.INTER_LINEAR, border_mode=mode, p=p)
        )

    def batched(self) -> RandomRotationOfBatch:
        """Its form for a whole batch."""
        return RandomRotationOfBatch(self.degrees, self.border, self.p)
