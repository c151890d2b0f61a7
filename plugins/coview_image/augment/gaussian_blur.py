"""Blurs the picture with a Gaussian of random width."""

from __future__ import annotations

from typing import Annotated

import albumentations
from annotated_types import Ge, Gt, Le

from coview_image.augment.batched.gaussian_blur import GaussianBlurOfBatch
from coview_image.augment.step import AlbumentationsStep
from coview_image.pixels import LARGEST_SIDE


class GaussianBlur(AlbumentationsStep):
    """Blurs the picture with a Gaussian of random width.

    Args:
        sigma: Smallest and largest standard deviation, in pixels; SimCLR: [0.1, 2.0].
        kernel_size: Side of the kernel in pixels, odd; SimCLR: a tenth of the picture's side (23 at 224). By
            default as large as the drawn sigma needs.
        p: Probability of being applied; SimCLR: 0.5 for ImageNet, no blur for CIFAR-10.
    """

    def __init__(
        self,
        *,
        sigma: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (0.1, 2.0),
        kernel_size: Annotated[int, Ge(3), Le(LARGEST_SIDE)] | None = None,
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        if sigma[0] > sigma[1]:
            raise ValueError(f"sigma has to be [smallest, largest], got [{sigma[0]}, {sigma[1]}]")
        if kernel_size is not None and kernel_size % 2 == 0:
            raise ValueError(f"kernel_size has to be odd, got {kernel_size}")
        self.sigma, self.kernel_size, self.p = sigma, kernel_size, p
        size = kernel_size or 0
        super().__init__(albumentations.GaussianBlur(blur_limit=(size, size), sigma_limit=sigma, p=p))

    def batched(self) -> GaussianBlurOfBatch:
        """Its form for a whole batch."""
        return GaussianBlurOfBatch(self.sigma, self.kernel_size, self.p)
