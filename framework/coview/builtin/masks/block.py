"""Hides rectangles of a grid."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le

from coview.builtin.masks.grid import block_at, real_columns, rows_and_columns
from coview.builtin.masks.share import Ratio, check_ratio, counts, first, number_for_each
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout

_TRIES = 24
"""Rectangles that are tried in turn; BEiT tries ten for each that it places."""


class Block:
    """Rectangles that may overlap, then single tokens, until an exact share is hidden (BEiT, arXiv:2106.08254,
    algorithm 1).

    A rectangle that would hide too much is left out. BEiT stops short of the share where no more rectangle fits; here
    single tokens, drawn at random, make up for the rest, so that a share is a share.

    Args:
        ratio: The share that is hidden, or its bounds; BEiT: 0.4; iBOT and DINOv2: [0.1, 0.5] of half of the views.
        smallest: Fewest tokens of a rectangle; BEiT: 16 of 196; iBOT: 4.
        aspect: Narrowest rectangle, height by width, as likely upright as lying; BEiT: 0.3.
    """

    read_each_step = ("ratio",)

    def __init__(
        self,
        ratio: Ratio,
        smallest: Annotated[int, Ge(1)] = 4,
        aspect: Annotated[float, Gt(0), Le(1)] = 0.3,
    ) -> None:
        check_ratio(ratio)
        self.ratio, self.smallest, self.aspect = ratio, smallest, aspect

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides rectangle by rectangle, in all rows at once."""
        height, width = rows_and_columns(layout, "block")
        columns_N = real_columns(layout)
        maskable_NT = layout.grid_NT
        wanted_N = counts(self.ratio, maskable_NT, rng)
        hidden_NT = torch.zeros_like(maskable_NT)
        narrowest = math.log(self.aspect)
        for _ in range(_TRIES):
            drawn_N4 = rng.uniform(4)
            area_N, aspect_N = drawn_N4[:, :2].unbind(1)
            left_to_hide_N = wanted_N - hidden_NT.sum(1)
            size_N = self.smallest + area_N * (left_to_hide_N - self.smallest).clamp(min=0)
            ratio_N = torch.exp(narrowest + aspect_N * -2 * narrowest)
            h_N = (size_N * ratio_N).sqrt().round().clamp(1, height).long()
            w_N = torch.minimum((size_N / ratio_N).sqrt().round().clamp(min=1).long(), columns_N)
            block_NT = block_at(drawn_N4[:, 2:], h_N, w_N, (height, width), columns_N)
            new_NT = block_NT & maskable_NT & ~hidden_NT
            hidden_NT |= new_NT & (new_NT.sum(1) <= left_to_hide_N)[:, None]
        missing_N = wanted_N - hidden_NT.sum(1)
        number_NT = number_for_each(rng, layout)[:, layout.prefix :]
        hidden_NT |= first(number_NT, maskable_NT & ~hidden_NT, missing_N)
        return Hidden(layout.whole(hidden_NT))
