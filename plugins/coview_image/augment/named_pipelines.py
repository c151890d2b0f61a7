"""The views of published methods, each as one step."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from coview_image.augment.pipeline import Pipeline, crop_and_distort
from coview_image.augment.random_resized_crop import Interpolation
from coview_image.pixels import LARGEST_SIDE

Size = Annotated[int, Gt(0), Le(LARGEST_SIDE)]
Scale = tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]]
Strength = Annotated[float, Ge(0)]


class SimCLR(Pipeline):
    """SimCLR's views (appendix A): crop, flip, colour jitter, greyscale (0.2) and blur, as one step.

    Args:
        size: Side of the pictures that come out, in pixels; SimCLR: 224, and 32 for CIFAR-10.
        scale: Smallest and largest area of the crop, as a share of the picture's; SimCLR: [0.08, 1.0].
        strength: Strength of the colour jitter; SimCLR: 1.0 for ImageNet, 0.5 for CIFAR-10.
        blur: Probability of blur, 0 for none; SimCLR: 0.5 for ImageNet, 0 for CIFAR-10.
        interpolation: How a part that is smaller than the picture is enlarged; SimCLR: "cubic".
    """

    def __init__(
        self,
        *,
        size: Size,
        scale: Scale = (0.08, 1.0),
        strength: Strength = 1.0,
        blur: Annotated[float, Ge(0), Le(1)] = 0.5,
        interpolation: Interpolation = "cubic",
    ) -> None:
        jitter = (0.8, 0.8, 0.8, 0.2)
        super().__init__(
            crop_and_distort(size, scale, jitter, strength=strength, blur=blur, interpolation=interpolation)
        )


class MoCoV2(Pipeline):
    """MoCo v2's views: those of SimCLR with a weaker jitter (0.4, 0.4, 0.4, 0.1) and crops that are not as small.

    Args:
        size: Side of the pictures that come out, in pixels; MoCo v2: 224.
        scale: Smallest and largest area of the crop, as a share of the picture's; MoCo v2: [0.2, 1.0].
        strength: Multiplies the jitter; MoCo v2: 1.0.
        blur: Probability of blur, 0 for none; MoCo v2: 0.5.
        interpolation: How a part that is smaller than the picture is enlarged; MoCo v2: "linear".
    """

    def __init__(
        self,
        *,
        size: Size,
        scale: Scale = (0.2, 1.0),
        strength: Strength = 1.0,
        blur: Annotated[float, Ge(0), Le(1)] = 0.5,
        interpolation: Interpolation = "linear",
    ) -> None:
        jitter = (0.4, 0.4, 0.4, 0.1)
        super().__init__(
            crop_and_distort(size, scale, jitter, strength=strength, blur=blur, interpolation=interpolation)
        )


_BYOL_BLUR = {"first": 1.0, "second": 0.1}
_BYOL_SOLARIZE = {"first": 0.0, "second": 0.2}


class BYOL(Pipeline):
    """BYOL's views (appendix B), which are not augmented alike: one table for each, with ``views = [0]`` and ``[1]``.

    The first is always blurred; the second one time in ten, and solarised one time in five. MoCo v3,
    Barlow Twins and VICReg have the same. The authors' brightness is an amount that is added; here it is a factor.

    Args:
        view: Which of the two.
        size: Side of the pictures that come out, in pixels; BYOL: 224.
        scale: Smallest and largest area of the crop, as a share of the picture's; BYOL: [0.08, 1.0].
        strength: Multiplies the jitter of 0.4, 0.4, 0.2 and 0.1; BYOL: 1.0.
        interpolation: How a part that is smaller than the picture is enlarged; BYOL: "cubic".
    """

    def __init__(
        self,
        *,
        view: Literal["first", "second"],
        size: Size,
        scale: Scale = (0.08, 1.0),
        strength: Strength = 1.0,
        interpolation: Interpolation = "cubic",
    ) -> None:
        super().__init__(
            crop_and_distort(
                size,
                scale,
                (0.4, 0.4, 0.2, 0.1),
                strength=strength,
                blur=_BYOL_BLUR[view],
                solarize=_BYOL_SOLARIZE[view],
                interpolation=interpolation,
            )
        )


_DINO_BLUR = {"first": 1.0, "second": 0.1, "local": 0.5}
_DINO_SOLARIZE = {"first": 0.0, "second": 0.2, "local": 0.0}
_DINO_SIZE = {"first": 224, "second": 224, "local": 96}
_DINO_SCALE = {"first": (0.4, 1.0), "second": (0.4, 1.0), "local": (0.05, 0.4)}


class DINO(Pipeline):
    """DINO's views: two global ones and some local ones, one table for each kind.

    The tables say ``views = [0]``, ``[1]`` and ``"local"``; ``local_views`` in ``[data]`` says how many.

    Args:
        view: Which global one, or a local one.
        size: Side of the pictures that come out, in pixels; by default DINO's: 224, and 96 for local ones.
        scale: Smallest and largest area of the crop, as a share of the picture's; by default DINO's: [0.4, 1.0],
            and [0.05, 0.4] for local ones.
        strength: Multiplies the jitter of 0.4, 0.4, 0.2 and 0.1; DINO: 1.0.
        interpolation: How a part that is smaller than the picture is enlarged; DINO: "cubic".
    """

    def __init__(
        self,
        *,
        view: Literal["first", "second", "local"],
        size: Size | None = None,
        scale: Scale | None = None,
        strength: Strength = 1.0,
        interpolation: Interpolation = "cubic",
    ) -> None:
        super().__init__(
            crop_and_distort(
                size or _DINO_SIZE[view],
                scale or _DINO_SCALE[view],
                (0.4, 0.4, 0.2, 0.1),
                strength=strength,
                blur=_DINO_BLUR[view],
                solarize=_DINO_SOLARIZE[view],
                interpolation=interpolation,
            )
        )
