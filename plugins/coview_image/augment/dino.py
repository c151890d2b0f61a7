"""DINO's global and local views (multi-crop)."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from coview_image.augment.pipeline import Pipeline, crop_and_distort
from coview_image.pixels import LARGEST_SIDE

_BLUR = {"first": 1.0, "second": 0.1, "local": 0.5}
_SOLARIZE = {"first": 0.0, "second": 0.2, "local": 0.0}
_SIZE = {"first": 224, "second": 224, "local": 96}
_SCALE = {"first": (0.4, 1.0), "second": (0.4, 1.0), "local": (0.05, 0.4)}


class DINO(Pipeline):
    """DINO's views: two global ones and some local ones, one table for each kind.

    The tables say ``views = [0]``, ``[1]`` and ``"local"``; ``local_views`` in ``[data]`` says how many.

    Args:
        view: Which global one, or a local one.
        size: Side of the pictures that come out, in pixels; by default DINO's: 224, and 96 for local ones.
        scale: Smallest and largest area of the crop, as a share of the picture's; by default DINO's: [0.4, 1.0],
            and [0.05, 0.4] for local ones.
        strength: Multiplies the jitter of 0.4, 0.4, 0.2 and 0.1; DINO: 1.0.
    """

    def __init__(
        self,
        *,
        view: Literal["first", "second", "local"],
        size: Annotated[int, Gt(0), Le(LARGEST_SIDE)] | None = None,
        scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] | None = None,
        strength: Annotated[float, Ge(0)] = 1.0,
    ) -> None:
        super().__init__(
            crop_and_distort(
                size or _SIZE[view],
                scale or _SCALE[view],
                (0.4, 0.4, 0.2, 0.1),
                strength=strength,
                blur=_BLUR[view],
                solarize=_SOLARIZE[view],
            )
        )
