"""Hides runs of tokens."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional

from coview.builtin.masks.share import Ratio, check_ratio, counts, first
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout
from coview.errors import CoviewError


class Span:
    """Runs of neighbouring tokens that may overlap, until an exact share is hidden; the last run may be cut short.

    Each token is as likely to be where a run begins (wav2vec 2.0, arXiv:2006.11477, section 3.1).

    Args:
        ratio: The share that is hidden, or its bounds; wav2vec 2.0's starts of 0.065 hide about 0.49.
        length: Tokens of a run; wav2vec 2.0 and data2vec: 10.
    """

    read_each_step = ("ratio",)

    def __init__(self, ratio: Ratio, length: Annotated[int, Ge(1)] = 10) -> None:
        check_ratio(ratio)
        self.ratio, self.length = ratio, length

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the tokens that the runs of the smallest numbers cover."""
        if len(layout.shape) != 1:
            raise CoviewError(
                f"span hides runs of tokens in a row, and these lie in a grid of {layout.shape[0]} × {layout.shape[1]}",
                hint='take use = "block", which hides rectangles',
            )
        counts_N = counts(self.ratio, layout.maskable_NT, rng)
        start_NT = rng.uniform(layout.maskable_NT.shape[1]).masked_fill(~layout.maskable_NT, torch.inf)
        return Hidden(first(_smallest_before(start_NT, self.length), layout.maskable_NT, counts_N))


def _smallest_before(x_NT: Tensor, length: int) -> Tensor:
    """For each token the smallest number of it and the ``length - 1`` before it."""
    padded_N1T = functional.pad(-x_NT[:, None], (length - 1, 0), value=-torch.inf)
    return -functional.max_pool1d(padded_N1T, length, stride=1)[:, 0]
