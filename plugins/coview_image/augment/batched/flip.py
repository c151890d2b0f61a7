"""Mirrors pictures of a batch."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

import coview
from coview_image.augment.batched.rows import as_float, change_rows


class RandomFlipOfBatch:
    """See :class:`coview_image.augment.flip.RandomFlip`."""

    batch: ClassVar[bool] = True
    replayable: ClassVar[bool] = True

    def __init__(self, direction: Literal["horizontal", "vertical"], p: float) -> None:
        self.side, self.p = 3 if direction == "horizontal" else 2, p

    def __call__(self, batch: Tensor, rng: coview.BatchRng, /) -> Tensor:
        """Pictures of the same size."""
        return change_rows(lambda x: x.flip(self.side), as_float(batch), drawn_R=rng.chance(self.p))
