"""Hides whole words."""

from __future__ import annotations

import torch

from coview.builtin.masks.share import Ratio, check_ratio, counts, first
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout
from coview.errors import CoviewError


class WholeWord:
    """Words with all their tokens, until at least the share of tokens is hidden (BERT's whole word masking).

    Args:
        ratio: The share of the tokens that is hidden, or its bounds; the last word may make it a little more. BERT:
            0.15.
    """

    read_each_step = ("ratio",)

    def __init__(self, ratio: Ratio = 0.15) -> None:
        check_ratio(ratio)
        self.ratio = ratio

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the words of the smallest numbers. A row that is a single word is left as it is.

        Raises:
            CoviewError: If the encoder does not say which token belongs to which word.
        """
        words_NT = layout.words_NT
        if words_NT is None:
            raise CoviewError(
                "whole_word hides words, and the encoder does not say which token belongs to which word",
                hint='take use = "random" or "span"',
            )
        maskable_NT = layout.maskable_NT & (words_NT >= 0)
        counts_N = counts(self.ratio, maskable_NT, rng)
        of_word_NT = rng.uniform(maskable_NT.shape[1]).gather(1, words_NT.clamp(min=0))
        hidden_NT = first(of_word_NT, maskable_NT, counts_N)
        last_N1 = of_word_NT.masked_fill(~hidden_NT, -torch.inf).amax(1, keepdim=True)
        whole_NT = maskable_NT & (of_word_NT <= last_N1)
        # of what would hide every word, the last is left out
        all_N1 = (whole_NT == maskable_NT).all(1, keepdim=True)
        return Hidden(whole_NT & ~(all_N1 & (of_word_NT == last_N1)))
