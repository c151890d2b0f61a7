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


def real_columns(layout: TokenLayout) -> Tensor:
    """``(N,)``: how many columns of each row's grid are more than padding, which lies behind them."""
    height, width = layout.shape
    is_real_NW = layout.grid_NT.unflatten(1, (height, width)).any(1)
    last_N: Tensor = (is_real_NW * torch.arange(1, width + 1, device=is_real_NW.device)).amax(1)
    return last_N


def rectangle(top_N: Tensor, left_N: Tensor, height_N: Tensor, width_N: Tensor, height: int, width: int) -> Tensor:
    """``(N, height · width)`` bool: a rectangle in each row's grid."""
    y_H1, x_W = torch.arange(height, device=top_N.device)[:, None], torch.arange(width, device=top_N.device)
    top, left, high, wide = (part[:, None, None] for part in (top_N, left_N, height_N, width_N))
    inside_NHW = (y_H1 >= top) & (y_H1 < top + high) & (x_W >= left) & (x_W < left + wide)
    return inside_NHW.flatten(1)


def block_at(unit_N2: Tensor, h_N: Tensor, w_N: Tensor, shape: tuple[int, int], columns_N: Tensor) -> Tensor:
    """A block of some size, at a place that two numbers from 0 to 1 say."""
    free = shape[0] - h_N, columns_N - w_N
    top_N, left_N = ((unit_N2[:, k] * (most_N + 1)).long() for k, most_N in enumerate(free))
    return rectangle(top_N, left_N, h_N, w_N, *shape)
