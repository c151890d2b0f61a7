"""Inverts the bright pixels of pictures of a batch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, change_rows


class SolarizeOfBatch:
    """See :class:`coview_image.augment.solarize.Solarize`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, threshold: float, p: float) -> None:
        self.threshold, self.p = threshold, p

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size."""

        def invert(x: Tensor) -> Tensor:
            return torch.where(x >= self.threshold, 1 - x, x)

        return change_rows(invert, as_float(batch), drawn_R=rng.chance(self.p))
