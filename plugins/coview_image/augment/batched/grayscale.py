"""Drops the colour of pictures of a batch."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, change_rows
from coview_image.pixels import LUMA, constant


class RandomGrayscaleOfBatch:
    """See :class:`coview_image.augment.grayscale.RandomGrayscale`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size and channels."""
        x_RCHW = as_float(batch)
        if x_RCHW.shape[1] == 1:
            return x_RCHW
        luma_3 = constant(LUMA, x_RCHW.device)

        def grey(x: Tensor) -> Tensor:
            return (luma_3 @ x.flatten(2)).view(len(x), 1, *x.shape[2:]).expand_as(x)

        return change_rows(grey, x_RCHW, drawn_R=rng.chance(self.p))
