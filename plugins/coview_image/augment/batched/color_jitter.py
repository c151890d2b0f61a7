"""Brightness, contrast, saturation and hue of a batch, each picture's in an order of its own.

The first three go from black, from the picture's mean grey or from its own grey towards the picture, or beyond it.
After each of the four, values are cut off at 0 and 1, as in the form for one picture.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, change_rows
from coview_image.pixels import LUMA, constant

_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = range(4)


class ColorJitterOfBatch:
    """See :class:`coview_image.augment.color_jitter.ColorJitter`; the four amounts are already scaled."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, brightness: float, contrast: float, saturation: float, hue: float, p: float) -> None:
        amounts = brightness, contrast, saturation
        self.low = (*(max(0.0, 1 - amount) for amount in amounts), -hue)
        self.high = (*(1 + amount for amount in amounts), hue)
        self.p = p

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size and channels."""
        x_RCHW = as_float(batch)
        low, high = (constant(bounds, x_RCHW.device) for bounds in (self.low, self.high))
        factor_R4 = rng.uniform(4) * (high - low) + low
        order_R4 = rng.uniform(4).argsort(dim=1)
        jitter = _jitter_grey if x_RCHW.shape[1] == 1 else _jitter
        return change_rows(jitter, x_RCHW, factor_R4, order_R4, drawn_R=rng.chance(self.p))


def _jitter_grey(x_R1HW: Tensor, factor_R4: Tensor, order_R4: Tensor) -> Tensor:
    """A grey picture has only brightness and contrast: which of them comes first is all of the order."""
    first_R1 = order_R4.argsort(1)[:, :2].argmin(1, keepdim=True)
    x_RP = x_R1HW.flatten(1)
    for kind_R1 in (first_R1, 1 - first_R1):
        factor_R1 = factor_R4.gather(1, kind_R1)
        shift_R1 = torch.where(kind_R1 == _CONTRAST, (1 - factor_R1) * x_RP.mean(1, keepdim=True), 0)
        x_RP = torch.addcmul(shift_R1, x_RP, factor_R1).clamp_(0, 1)
    return x_RP.view_as(x_R1HW)


def _jitter(x_R3HW: Tensor, factor_R4: Tensor, order_R4: Tensor) -> Tensor:
    x_R3P = x_R3HW.flatten(2)
    # the hue costs most: once, for all pictures at a time, between what comes before it and what comes after
    before_R1 = (order_R4 == _HUE).int().argmax(1, keepdim=True)
    place_3 = torch.arange(3, device=order_R4.device)
    kind_R3 = order_R4.gather(1, place_3 + (place_3 >= before_R1))
    is_before_R3 = place_3 < before_R1
    x_R3P = _blends(x_R3P, kind_R3, factor_R4, is_before_R3)
    x_R3P = _turn(x_R3P, factor_R4[:, _HUE])
    return _blends(x_R3P, kind_R3, factor_R4, ~is_before_R3).view_as(x_R3HW)


def _blends(x_R3P: Tensor, kind_R3: Tensor, factor_R4: Tensor, drawn_R3: Tensor) -> Tensor:
    """Brightness, contrast and saturation in each picture's order, as far as they are drawn."""
    # a factor of 1 changes nothing
    factor_R3 = torch.where(drawn_R3, factor_R4.gather(1, kind_R3), 1)
    for kind_R, factor_R in zip(kind_R3.unbind(1), factor_R3.unbind(1), strict=True):
        x_R3P = _blend(x_R3P, kind_R[:, None], factor_R[:, None])
    return x_R3P


def _blend(x_R3P: Tensor, kind_R1: Tensor, factor_R1: Tensor) -> Tensor:
    """All three go from something towards the picture: from black, from its mean grey, or from its own grey."""
    red, green, blue = x_R3P.unbind(1)
    grey_RP = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
    mean_R1 = torch.where(kind_R1 == _CONTRAST, grey_RP.mean(1, keepdim=True), 0)
    from_RP = torch.addcmul(mean_R1, grey_RP, (kind_R1 == _SATURATION).to(grey_RP.dtype))
    return torch.lerp(from_RP[:, None], x_R3P, factor_R1[:, None]).clamp_(0, 1)


def _turn(x_R3P: Tensor, turn_R: Tensor) -> Tensor:
    """Moves the hue of HSV by a share of the colour circle; the largest and the smallest channel stay what they are."""
    red, green, blue = x_R3P.unbind(1)
    high, low = x_R3P.amax(1), x_R3P.amin(1)
    chroma = high - low
    scale = 1 / chroma.clamp(min=1e-12)
    sixths = torch.where(
        high == red,
        (green - blue) * scale,
        torch.where(high == green, (blue - red) * scale + 2, (red - green) * scale + 4),
    )
    # each channel falls and rises along the hexagon, and starts to fall at a sixth of its own
    start_3 = constant((5.0, 3.0, 1.0), x_R3P.device)
    place_R3P = (sixths / 6 + (turn_R[:, None] + 1))[:, None] + start_3[:, None] / 6
    share_R3P = place_R3P.frac_().mul_(6).sub_(2).abs_().neg_().add_(2).clamp_(0, 1)
    return torch.addcmul(high[:, None], share_R3P, chroma[:, None], value=-1)
