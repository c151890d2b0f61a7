"""Unit rows in full precision: what every loss on cosine similarities starts from."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

Temperature = Annotated[float, Ge(0.01), Le(10)]
"""What divides cosine similarities. Gradients grow with its inverse, and fp16 ends at 65504."""

SMALLEST_NORM = 1e-12
"""A row no longer than this has no direction."""


def no_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which matrix products keep fp32: exp(1 / T) overflows fp16 for T below 0.09."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()  # the meta device, on which a recipe is tried, knows no autocast


def in_full_precision(z: Tensor) -> Tensor:
    """The tensor in fp32, or in fp64 where it is given so."""
    return z if z.dtype == torch.float64 else z.float()


def unit_rows(z: Tensor, length: float = 1.0) -> Tensor:
    """Rows of length one, or of another length, in fp32, or fp64 where they are given so.

    A row without a direction becomes the zero row and gets no gradient. Dividing it by a small number instead
    would send it a gradient of that number's inverse, which is infinite in fp16.

    Args:
        z: Of shape (..., D).
        length: Above 0.
    """
    z = in_full_precision(z)
    norm: Tensor = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    divisor = torch.threshold(norm, SMALLEST_NORM, torch.inf)
    return z / (divisor if length == 1 else divisor / length)
