"""SimCLR's views."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from coview_image.augment.pipeline import Pipeline, crop_and_distort
from coview_image.pixels import LARGEST_SIDE


class SimCLR(Pipeline):
    """SimCLR's views (appendix A): crop, flip, colour jitter, greyscale (0.2) and blur, as one step.

    Args:
        size: Side of the pictures that come out, in pixels; SimCLR: 224, and 32 for CIFAR-10.
        scale: Smallest and largest area of the crop, as a share of the picture's; SimCLR: [0.08, 1.0].
        strength: Of the colour jitter; SimCLR: 1.0 for ImageNet, 0.5 for CIFAR-10.
        blur: Probability of blur, 0 for none; SimCLR: 0.5 for ImageNet, 0 for CIFAR-10.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)],
        scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0),
        strength: Annotated[float, Ge(0)] = 1.0,
        blur: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        super().__init__(crop_and_distort(size, scale, (0.8, 0.8, 0.8, 0.2), strength=strength, blur=blur))
