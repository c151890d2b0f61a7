"""Hides whole columns and whole rows of a spectrogram's grid."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from coview.builtin.masks.grid import rows_and_columns
from coview.builtin.masks.share import counts, first
from coview.data.batch_rng import BatchRng
from coview.data.token_mask import Hidden, TokenLayout

ShareOrNone = Annotated[float, Ge(0), Lt(1)]


class TimeFrequency:
    """Some moments at all frequencies, and some frequencies at all moments (SSAST, arXiv:2110.09784; AudioMAE,
    arXiv:2207.06405,
    section 3.2).

    Args:
        time: Share of the columns that is hidden; AudioMAE, in finetuning: 0.3.
        frequency: Share of the rows that is hidden; AudioMAE, in finetuning: 0.3.
    """

    def __init__(self, time: ShareOrNone = 0.3, frequency: ShareOrNone = 0.3) -> None:
        if not time and not frequency:
            raise ValueError("time and frequency are both 0: nothing is hidden")
        self.time, self.frequency = time, frequency

    def __call__(self, layout: TokenLayout, rng: BatchRng, /) -> Hidden:
        """Hides columns and rows of what may be hidden: never all of either."""
        height, width = rows_and_columns(layout, "time_frequency")
        maskable_NHW = layout.grid_NT.unflatten(1, (height, width))
        rows_NH = _some(self.frequency, maskable_NHW.any(2), rng)
        columns_NW = _some(self.time, maskable_NHW.any(1), rng)
        hidden_NHW = (rows_NH[:, :, None] | columns_NW[:, None, :]) & maskable_NHW
        return Hidden(layout.whole(hidden_NHW.flatten(1)))


def _some(share: float, there_NT: Tensor, rng: BatchRng) -> Tensor:
    if not share:
        return torch.zeros_like(there_NT)
    counts_N = counts(share, there_NT, rng)
    return first(rng.uniform(there_NT.shape[1]), there_NT, counts_N)
