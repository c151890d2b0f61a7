"""Inverts the bright pixels."""

from __future__ import annotations

from typing import Annotated

import albumentations
from annotated_types import Ge, Le

from coview_image.augment.batched.solarize import SolarizeOfBatch
from coview_image.augment.step import AlbumentationsStep


class Solarize(AlbumentationsStep):
    """Inverts every value that is not below a threshold.

    Args:
        threshold: On the scale from 0 to 1; BYOL and DINO: 0.5.
        p: Probability of being applied; BYOL and DINO: 0.2, to one of two views.
    """

    def __init__(
        self,
        *,
        threshold: Annotated[float, Ge(0), Le(1)] = 0.5,
        p: Annotated[float, Ge(0), Le(1)] = 0.2,
    ) -> None:
        self.threshold, self.p = threshold, p
        super().__init__(albumentations.Solarize(threshold_range=(threshold, threshold), p=p))

    def batched(self) -> SolarizeOfBatch:
        """Its form for a whole batch."""
        return SolarizeOfBatch(self.threshold, self.p)
