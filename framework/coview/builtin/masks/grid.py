"""Rectangles in a grid of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from coview.data.token_mask import TokenLayout
from coview.errors import CoviewError


def rows_and_columns(layout: TokenLayout, name: str) -> tuple[int, int]:
    """Height and width of the grid.

    Raises:
        CoviewError: If the tokens lie in a row.
    """
    if len(layout.shape) != 2:
        raise CoviewError(
            f"{name} hides rectangles of a grid, and these tokens lie in a row",
            hint='take use = "span", which hides runs of tokens',
        )
    height, width = layout.shape
    return height, width


def rectangle(top_N: Tensor, left_N: Tensor, height_N: Tensor, width_N: Tensor, height: int, width: int) -> Tensor:
    """``(N, height · width)`` bool: a rectangle in each row's grid."""
    y_H1, x_W = torch.arange(height, device=top_N.device)[:, None], torch.arange(width, device=top_N.device)
    top, left, high, wide = (part[:, None, None] for part in (top_N, left_N, height_N, width_N))
    inside_NHW = (y_H1 >= top) & (y_H1 < top + high) & (x_W >= left) & (x_W < left + wide)
    return inside_NHW.flatten(1)
