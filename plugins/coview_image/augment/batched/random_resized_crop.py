"""Crop and resize of a batch: a product with one matrix for the rows and one for the columns of each picture.

The matrices hold the weights that OpenCV's ``resize`` has for the same crop, so that a crop that is made smaller is
averaged over areas here too; ``grid_sample`` would alias.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, between, change_rows

_KEYS = -0.75  # the slope at the next pixel that OpenCV and PyTorch take
_ATTEMPTS = 10  # as many as Albumentations and torchvision make before they take what fits


class RandomResizedCropOfBatch:
    """See :class:`coview_image.augment.random_resized_crop.RandomResizedCrop`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(
        self,
        size: int,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        interpolation: Literal["nearest", "linear", "cubic"],
    ) -> None:
        self.size, self.scale, self.ratio, self.interpolation = size, scale, ratio, interpolation

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the size asked for."""
        x_RCHW = as_float(batch)
        height, width = x_RCHW.shape[2:]
        box_R4 = draw_boxes(rng, height, width, self.scale, self.ratio)

        def crop(x: Tensor, box: Tensor) -> Tensor:
            top, left, tall, wide = box.unbind(1)
            shrinks = (tall > self.size) | (wide > self.size)
            averages = shrinks & (tall >= self.size) & (wide >= self.size)
            rows = self._weights(height, top, tall, shrinks, averages)
            columns = self._weights(width, left, wide, shrinks, averages)
            cropped = between(rows, x, columns)
            return cropped.clamp_(0, 1) if self.interpolation == "cubic" else cropped  # a cubic overshoots at edges

        return change_rows(crop, x_RCHW, box_R4)

    def _weights(self, length: int, start: Tensor, extent: Tensor, shrinks: Tensor, averages: Tensor) -> Tensor:
        """``(R, size, length)``: how much each pixel of a side counts for each one that comes out."""
        start, extent, shrinks, averages = (t[:, None, None] for t in (start, extent, shrinks, averages))
        out = torch.arange(self.size, device=start.device, dtype=torch.float32)[:, None]
        pixel = torch.arange(length, device=start.device, dtype=torch.float32) - start
        step = extent / self.size
        # where one side shrinks and the other grows, OpenCV's averaging interpolates from the pixel's edge
        whole = (out * step).floor()
        share = ((out + 1) - (whole + 1) / step).clamp(min=0)
        edge = whole + torch.where(whole < extent - 1, share - share.floor(), 0)
        grown = whole if self.interpolation == "nearest" else ((out + 0.5) * step - 0.5).clamp(min=0)
        at = torch.where(shrinks, edge, grown)
        weight = (1 - (torch.minimum(at, extent - 1) - pixel).abs()).clamp_(min=0)
        if self.interpolation == "cubic":
            weight = torch.where(shrinks, weight, _cubic((out + 0.5) * step - 0.5, pixel, extent))
        if length <= self.size:  # then this side never shrinks
            return weight
        first, last = out * step, (out + 1) * step
        inside = (torch.minimum(last, pixel + 1) - torch.maximum(first, pixel)).clamp_(min=0)
        return torch.where(averages, inside / step, weight)


def _cubic(at: Tensor, pixel: Tensor, extent: Tensor) -> Tensor:
    """How much each pixel counts at a place between pixels: Keys' cubic convolution, as OpenCV has it.

    The pixels beyond the edge are those at the edge.
    """
    first = at.floor()
    weight = torch.zeros_like(at + pixel)
    for tap in range(-1, 3):
        distance = (at - first - tap).abs()
        near = ((_KEYS + 2) * distance - (_KEYS + 3)) * distance**2 + 1
        far = _KEYS * (((distance - 5) * distance + 8) * distance - 4)
        nearest = torch.minimum((first + tap).clamp(min=0), extent - 1)
        weight += torch.where(pixel == nearest, torch.where(distance <= 1, near, far), 0)
    return weight


def draw_boxes(
    rng: coview.BatchRng, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> Tensor:
    """``(R, 4)`` whole numbers: top, left, height and width of the part that is cut out of each picture."""
    area_RA = rng.uniform(_ATTEMPTS, *scale) * (height * width)
    low, high = (float(torch.tensor(value).log()) for value in ratio)
    ratio_RA = rng.uniform(_ATTEMPTS, low, high).exp()
    wide_RA, tall_RA = (area_RA * ratio_RA).sqrt().round(), (area_RA / ratio_RA).sqrt().round()
    fits_RA = (wide_RA >= 1) & (wide_RA <= width) & (tall_RA >= 1) & (tall_RA <= height)
    first_R1 = fits_RA.int().argmax(1, keepdim=True)
    whole = min(max(width / height, ratio[0]), ratio[1])  # the widest part of an allowed ratio
    fallback_wide, fallback_tall = min(width, round(height * whole)), min(height, round(width / whole))
    fits_R = fits_RA.any(1)
    wide_R = torch.where(fits_R, wide_RA.gather(1, first_R1)[:, 0], fallback_wide)
    tall_R = torch.where(fits_R, tall_RA.gather(1, first_R1)[:, 0], fallback_tall)
    place_R2 = rng.uniform(2)
    top_R = torch.where(fits_R, (place_R2[:, 0] * (height - tall_R + 1)).floor(), (height - fallback_tall) // 2)
    left_R = torch.where(fits_R, (place_R2[:, 1] * (width - wide_R + 1)).floor(), (width - fallback_wide) // 2)
    return torch.stack([top_R, left_R, tall_R, wide_R], dim=1)
