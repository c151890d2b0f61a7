"""Features of mean 0 and spread 1, by the samples that a classifier or a regression is fitted to."""

from __future__ import annotations

import torch
from torch import Tensor


class Standardise:
    """Standardisation by the samples given; a constant feature becomes 0.  N sample · D feature.

    Args:
        x_ND: The samples that are fitted.
    """

    def __init__(self, x_ND: Tensor) -> None:
        self._mean = x_ND.mean(0)
        spread = x_ND.std(0, correction=0)
        self._factor = torch.where(spread > 1e-6 * (1 + self._mean.abs()), spread, torch.inf).reciprocal()

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Any samples, in the units of those."""
        return (x_ND - self._mean) * self._factor
