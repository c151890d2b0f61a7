"""Positions of tokens as sines and cosines."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_positions(shape: tuple[int, ...], width: int) -> Tensor:
    """``(T, width)`` for tokens in a row (arXiv:1706.03762, section 3.5) or a grid (MAE, arXiv:2111.06377, A.1).

    In a grid the first half of the width says the column, and the second the row. In each half the first part are
    sines and the second cosines, of periods from 2π to 20,000π.

    Args:
        shape: ``(T,)`` or ``(height, width)``.
        width: A multiple of 2, or of 4 for a grid.

    Raises:
        ValueError: If it is not.
    """
    parts = 2 * len(shape)
    if width % parts:
        raise ValueError(
            f"positions of {len(shape)} dimensions need a width that is a multiple of {parts}, got {width}"
        )
    if len(shape) == 1:
        return _sines(torch.arange(shape[0]), width)
    height, columns = shape
    row_T = torch.arange(height).repeat_interleave(columns)
    column_T = torch.arange(columns).repeat(height)
    return torch.cat([_sines(column_T, width // 2), _sines(row_T, width // 2)], 1)


def _sines(place_T: Tensor, width: int) -> Tensor:
    frequency_F = 10_000 ** -(torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angle_TF = place_T.double()[:, None] * frequency_F
    return torch.cat([angle_TF.sin(), angle_TF.cos()], 1).float()
