"""Hides tokens one by one."""

from __future__ import annotations

from coview.builtin.masks.share import Ratio, check_ratio, counts, first
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout


class Random:
    """An exact share of each row's tokens, each as likely as any other.

    Args:
        ratio: The share that is hidden; two numbers are the bounds between which each row draws its own. MAE: 0.75;
            BERT: 0.15; SimMIM: 0.6.
    """

    def __init__(self, ratio: Ratio) -> None:
        check_ratio(ratio)
        self.ratio = ratio

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides the tokens of the smallest of as many numbers as there are tokens."""
        counts_N = counts(self.ratio, layout.maskable_NT, rng)
        return Hidden(first(rng.uniform(layout.maskable_NT.shape[1]), layout.maskable_NT, counts_N))
