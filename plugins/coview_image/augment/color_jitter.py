"""Random brightness, contrast, saturation and hue, in random order.

Without it two crops of a picture can be matched by their histograms alone (SimCLR, section 3.2).
"""

from __future__ import annotations

from typing import Annotated

import albumentations
import numpy as np
from annotated_types import Ge, Le

from coview_image.augment.batched.color_jitter import ColorJitterOfBatch
from coview_image.augment.step import AlbumentationsStep
from coview_image.pixels import spread_of_channels


class ColorJitter(AlbumentationsStep):
    """Changes brightness, contrast, saturation and hue by random amounts, in random order.

    The four amounts are SimCLR's (appendix A), which scales all of them by one strength. A grey picture has
    only brightness and contrast to change.

    Args:
        strength: Multiplies the four amounts below; SimCLR: 1.0 for ImageNet, 0.5 for CIFAR-10.
        brightness: Factor from max(0, 1 - amount) to 1 + amount; SimCLR: 0.8.
        contrast: Likewise; SimCLR: 0.8.
        saturation: Likewise; SimCLR: 0.8.
        hue: Shift from -amount to amount, as a share of the colour circle; at most 0.5 after scaling; SimCLR:
            0.2.
        p: Probability of being applied; SimCLR: 0.8.
    """

    def __init__(
        self,
        *,
        strength: Annotated[float, Ge(0)] = 1.0,
        brightness: Annotated[float, Ge(0)] = 0.8,
        contrast: Annotated[float, Ge(0)] = 0.8,
        saturation: Annotated[float, Ge(0)] = 0.8,
        hue: Annotated[float, Ge(0), Le(0.5)] = 0.2,
        p: Annotated[float, Ge(0), Le(1)] = 0.8,
    ) -> None:
        if strength * hue > 0.5:
            raise ValueError(f"strength × hue has to be at most 0.5, got {strength} × {hue} = {strength * hue:g}")
        self.amounts = (strength * brightness, strength * contrast, strength * saturation, strength * hue)
        self.p = p
        super().__init__(
            albumentations.ColorJitter(
                brightness=self.amounts[0],
                contrast=self.amounts[1],
                saturation=self.amounts[2],
                hue=self.amounts[3],
                p=p,
            )
        )

    def remark(self, value: np.ndarray, /) -> str:
        """That a picture stored in three channels is grey, so that saturation and hue do nothing."""
        colour_is_asked_for = any(self.amounts[2:]) and self.p > 0
        if not colour_is_asked_for or value.ndim == 2 or value.shape[2] == 1 or spread_of_channels(value).any():
            return ""
        return (
            "are grey in three equal channels, of which saturation and hue change nothing: brightness and contrast are "
            "left of the jitter"
        )

    def batched(self) -> ColorJitterOfBatch:
        """Its form for a whole batch."""
        return ColorJitterOfBatch(*self.amounts, self.p)
