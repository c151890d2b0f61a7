"""BYOL's two views."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from coview_image.augment.pipeline import Pipeline, crop_and_distort
from coview_image.pixels import LARGEST_SIDE

_BLUR = {"first": 1.0, "second": 0.1}
_SOLARIZE = {"first": 0.0, "second": 0.2}


class BYOL(Pipeline):
    """BYOL's views (appendix B), which are not augmented alike: one table for each, with ``views = [0]`` and ``[1]``.

    The first is always blurred; the second one time in ten, and solarised one time in five.

    Args:
        view: Which of the two.
        size: Side of the pictures that come out, in pixels; BYOL: 224.
        scale: Smallest and largest area of the crop, as a share of the picture's; BYOL: [0.08, 1.0].
        strength: Multiplies the jitter of 0.4, 0.4, 0.2 and 0.1; BYOL: 1.0.
    """

    def __init__(
        self,
        *,
        view: Literal["first", "second"],
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)],
        scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0),
        strength: Annotated[float, Ge(0)] = 1.0,
    ) -> None:
        jitter = (0.4, 0.4, 0.2, 0.1)
        super().__init__(
            crop_and_distort(size, scale, jitter, strength=strength, blur=_BLUR[view], solarize=_SOLARIZE[view])
        )
