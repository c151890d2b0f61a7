"""Blur of a batch: a product with one banded matrix for the rows and the same for the columns of each picture."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, between, change_rows

_REACH = 3.5  # of a kernel of no given size, in standard deviations, as in Albumentations


class GaussianBlurOfBatch:
    """See :class:`coview_image.augment.gaussian_blur.GaussianBlur`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, sigma: tuple[float, float], kernel_size: int | None, p: float) -> None:
        self.sigma, self.kernel_size, self.p = sigma, kernel_size, p

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size."""
        x_RCHW = as_float(batch)
        height, width = x_RCHW.shape[2:]
        sigma_R1 = rng.uniform(1, *self.sigma)
        radius = int(self.sigma[1] * _REACH) if self.kernel_size is None else self.kernel_size // 2
        distance_K = torch.arange(radius + 1, device=x_RCHW.device)
        weight_RK = torch.exp(-0.5 * (distance_K / sigma_R1) ** 2)
        if self.kernel_size is None:
            weight_RK = weight_RK * (distance_K <= (sigma_R1 * _REACH).floor())
        weight_RK = weight_RK / (2 * weight_RK.sum(1, keepdim=True) - weight_RK[:, :1])
        down, across = (_folded(side, radius, x_RCHW.device) for side in (height, width))

        def blur(x: Tensor, weight: Tensor) -> Tensor:
            rows = (weight @ down).view(-1, height, height)
            columns = (weight @ across).view(-1, width, width)
            return between(rows, x, columns)

        return change_rows(blur, x_RCHW, weight_RK, drawn_R=rng.chance(self.p))


@cache
def _folded(length: int, radius: int, device: torch.device) -> Tensor:
    """``(radius + 1, length²)``: how often pixel j lies at each distance of pixel i, the picture mirrored at its edges.

    The edge itself is not doubled, which is OpenCV's default border.
    """
    i = torch.arange(length, device=device)
    count = torch.zeros(radius + 1, length, length, device=device)
    for offset in range(-radius, radius + 1):
        period = max(2 * (length - 1), 1)
        j = (i + offset) % period
        j = torch.where(j < length, j, period - j)
        count[abs(offset), i, j] += 1
    return count.flatten(1)
