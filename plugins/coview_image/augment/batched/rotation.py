"""Rotates pictures of a batch."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

import coview
from coview_image.augment.batched.rows import as_float, change_rows


class RandomRotationOfBatch:
    """See :class:`coview_image.augment.rotation.RandomRotation`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, degrees: float, border: Literal["constant", "reflect"], p: float) -> None:
        self.degrees, self.p = degrees, p
        self.padding = "zeros" if border == "constant" else "reflection"

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size."""
        x_RCHW = as_float(batch)
        height, width = x_RCHW.shape[2:]
        angle_R1 = rng.uniform(1, -self.degrees, self.degrees) * (math.pi / 180)
        y = torch.arange(height, device=x_RCHW.device)[:, None] - (height - 1) / 2
        x = torch.arange(width, device=x_RCHW.device) - (width - 1) / 2

        def rotate(pictures: Tensor, angle: Tensor) -> Tensor:
            cos, sin = angle.cos()[..., None], angle.sin()[..., None]
            grid = torch.stack(
                [(cos * x - sin * y) * (2 / max(width - 1, 1)), (sin * x + cos * y) * (2 / max(height - 1, 1))], dim=-1
            )
            return grid_sample(pictures, grid, padding_mode=self.padding, align_corners=True)

        return change_rows(rotate, x_RCHW, angle_R1, drawn_R=rng.chance(self.p))
