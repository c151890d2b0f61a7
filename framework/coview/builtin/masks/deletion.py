"""Hides words each by itself, and wants the whole row back."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Lt

from coview.builtin.masks.share import number_for_each
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout


class Deletion:
    """Each word by itself, with all its tokens, or each token where the encoder knows of no words; one always stays.

    Every token but the first has to be predicted, seen or not, and also the separator at the end: for a decoder that
    makes the row again from one vector (TSDAE, arXiv:2104.06979, section 3.1), with ``hide = "drop"``.

    Args:
        ratio: The probability of a word to be hidden; TSDAE: 0.6.
    """

    read_each_step = ("ratio",)

    def __init__(self, ratio: Annotated[float, Gt(0), Lt(1)] = 0.6) -> None:
        self.ratio = ratio

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the words whose number is below the ratio; of a row where all are, the one of the largest stays."""
        maskable_NT, real_NT = layout.maskable_NT, layout.real_NT
        of_word_NT = number_for_each(rng, layout)
        if layout.words_NT is not None:
            maskable_NT = maskable_NT & (layout.words_NT >= 0)
            of_word_NT = of_word_NT.gather(1, layout.words_NT.clamp(min=0))
        largest_N1 = of_word_NT.masked_fill(~maskable_NT, -torch.inf).amax(1, keepdim=True)
        hidden_NT = maskable_NT & (of_word_NT < self.ratio) & (of_word_NT < largest_N1)
        return Hidden(hidden_NT, (real_NT & (real_NT.cumsum(1) > 1))[:, None])
