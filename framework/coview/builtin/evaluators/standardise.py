"""Features in other units, by the samples that a classifier or a regression is fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

Scaling = bool | Literal["choose"]
"""Whether features are standardised, or what judges best says so."""


class Standardise:
    """Features of mean 0 and, each for itself, spread 1; a constant feature becomes 0.  N sample · D feature.

    Args:
        x_ND: The samples that are fitted.
        each: Where false, all are divided by one number, so that the mean of their variances is 1: what is fitted with
            a penalty then sees them as they are, less the unit that they are in.

    Attributes:
        unit: What all are divided by; 1 where each is for itself.
    """

    def __init__(self, x_ND: Tensor, *, each: bool = True) -> None:
        self._mean = x_ND.mean(0)
        spread = x_ND.std(0, correction=0)
        self.unit = 1.0
        if each:
            self._factor = torch.where(spread > 1e-6 * (1 + self._mean.abs()), spread, torch.inf).reciprocal()
        else:
            self.unit = float(spread.double().square().mean().sqrt()) or 1.0
            self._factor = torch.full_like(spread, 1 / self.unit)

    def __call__(self, x_ND: Tensor) -> Tensor:
        """Any samples, in the units of those."""
        return (x_ND - self._mean) * self._factor


def scalings(standardise: Scaling) -> tuple[bool, ...]:
    """What is tried, the first of equals taken."""
    return (True, False) if standardise == "choose" else (bool(standardise),)


def scaling_protocol(standardise: Scaling) -> Mapping[str, Any]:
    """What a protocol says of it."""
    each, one = "by the samples that are fitted", "no: one unit for all features"
    return {
        "standardised": f"{each}, or {one}: what judges better"
        if standardise == "choose"
        else each
        if standardise
        else one
    }
