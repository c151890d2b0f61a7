"""Hides tokens one by one."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional

from coview.builtin.masks.share import Ratio, check_ratio, counts, first
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout


class Random:
    """An exact share of each row's tokens, each as likely as any other.

    Args:
        ratio: The share that is hidden; two numbers are the bounds between which each row draws its own. MAE: 0.75;
            BERT: 0.15; SimMIM: 0.6.
        side: Of the squares of a grid's tokens, or the runs in a row, that are hidden or seen together; SimMIM: 2 of 16
            pixels each.
    """

    def __init__(self, ratio: Ratio, side: Annotated[int, Ge(1)] = 1) -> None:
        check_ratio(ratio)
        self.ratio, self.side = ratio, side

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the tokens of the smallest of as many numbers as there are tokens, or squares of them."""
        maskable_NT = layout.maskable_NT if self.side == 1 else self._squares(layout)
        counts_N = counts(self.ratio, maskable_NT, rng)
        hidden_NT = first(rng.uniform(maskable_NT.shape[1]), maskable_NT, counts_N)
        return Hidden(hidden_NT if self.side == 1 else self._tokens(hidden_NT, layout))

    def _squares(self, layout: TokenLayout) -> Tensor:
        """Which squares have a token in them that may be hidden, row by row."""
        grid_NHW = layout.grid_NT.unflatten(1, self._height_and_width(layout))
        high = min(self.side, grid_NHW.shape[1])
        pooled = functional.max_pool2d(grid_NHW[:, None].float(), (high, self.side), ceil_mode=True)
        return pooled.flatten(1).bool()

    def _tokens(self, squares_NS: Tensor, layout: TokenLayout) -> Tensor:
        """The tokens of squares."""
        height, width = self._height_and_width(layout)
        high = min(self.side, height)
        squares_NHW = squares_NS.unflatten(1, (-(-height // high), -(-width // self.side)))
        grid_NHW = squares_NHW.repeat_interleave(high, 1).repeat_interleave(self.side, 2)[:, :height, :width]
        before_NP = squares_NS.new_zeros((len(squares_NS), layout.prefix))
        return torch.cat([before_NP, grid_NHW.flatten(1)], 1)

    def _height_and_width(self, layout: TokenLayout) -> tuple[int, int]:
        return (1, layout.shape[0]) if len(layout.shape) == 1 else (layout.shape[0], layout.shape[1])
