"""MoCo v2's views."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

from coview_image.augment.pipeline import Pipeline, crop_and_distort
from coview_image.pixels import LARGEST_SIDE


class MoCoV2(Pipeline):
    """MoCo v2's views: those of SimCLR with a weaker jitter (0.4, 0.4, 0.4, 0.1) and crops that are not as small.

    Args:
        size: Side of the pictures that come out, in pixels; MoCo v2: 224.
        scale: Smallest and largest area of the crop, as a share of the picture's; MoCo v2: [0.2, 1.0].
        strength: Multiplies the jitter; MoCo v2: 1.0.
        blur: Probability of blur, 0 for none; MoCo v2: 0.5.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)],
        scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.2, 1.0),
        strength: Annotated[float, Ge(0)] = 1.0,
        blur: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        super().__init__(crop_and_distort(size, scale, (0.4, 0.4, 0.4, 0.1), strength=strength, blur=blur))
