"""Hides tokens one by one."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor
from torch.nn import functional

from coview.builtin.masks.share import Ratio, check_ratio, counts, first, number_for_each
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout


class Random:
    """An exact share of each row's tokens, each as likely as any other.

    Args:
        ratio: The share that is hidden; two numbers are the bounds between which each row draws its own. MAE: 0.75;
            BERT: 0.15; SimMIM: 0.6.
        side: Side of the squares of a grid's tokens, or length of the runs in a row, that are hidden or seen together;
            SimMIM: 2 of 16 pixels each.
    """

    read_each_step = ("ratio",)

    def __init__(self, ratio: Ratio, side: Annotated[int, Ge(1)] = 1) -> None:
        check_ratio(ratio)
        self.ratio, self.side = ratio, side

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the tokens of the smallest of as many numbers as there are tokens, or squares of them."""
        if self.side > 1:
            squares = self._squares(layout)
            return Hidden(self._tokens(self._of(squares, rng), layout))
        return Hidden(self._of(layout, rng))

    def _of(self, layout: TokenLayout, rng: BatchRng) -> Tensor:
        counts_N = counts(self.ratio, layout.maskable_NT, rng)
        return first(number_for_each(rng, layout), layout.maskable_NT, counts_N)

    def _squares(self, layout: TokenLayout) -> TokenLayout:
        """The squares, of which those may be hidden that have a token in them that may."""
        grid_NHW = layout.grid_NT.unflatten(1, self._height_and_width(layout))
        high = min(self.side, grid_NHW.shape[1])
        pooled_NHW = functional.max_pool2d(grid_NHW[:, None].float(), (high, self.side), ceil_mode=True)[:, 0].bool()
        squares_NS = pooled_NHW.flatten(1)
        return TokenLayout(squares_NS, squares_NS, (pooled_NHW.shape[1], pooled_NHW.shape[2]))

    def _tokens(self, squares_NS: Tensor, layout: TokenLayout) -> Tensor:
        """The tokens of squares."""
        height, width = self._height_and_width(layout)
        high = min(self.side, height)
        squares_NHW = squares_NS.unflatten(1, (-(-height // high), -(-width // self.side)))
        grid_NHW = squares_NHW.repeat_interleave(high, 1).repeat_interleave(self.side, 2)[:, :height, :width]
        return layout.whole(grid_NHW.flatten(1))

    def _height_and_width(self, layout: TokenLayout) -> tuple[int, int]:
        return (1, layout.shape[0]) if len(layout.shape) == 1 else (layout.shape[0], layout.shape[1])
