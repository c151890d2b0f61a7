"""Masks bands and stretches of time of log-mel."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

import coview
from coview_audio.augment.log_mel import MelBatch, log_mel_of, mean_of_real, with_log_mel


class SpecAugment:
    """SpecAugment's masks (arXiv:1904.08779) on log-mel: some bands and some stretches of time become the sound's
    mean. Its warping of time is left out, as the paper found it to matter least.

    Args:
        frequency_masks: How many bands; the paper's 1 or 2.
        frequency_width: The most mel bins that one covers; how many is drawn from 0 on. The paper's 15 to 27 of 80.
        time_masks: How many stretches of time; the paper's 1 or 2.
        time_width: The most frames of 10 ms that one covers; the paper's 40 to 100.
        time_share: Also the largest share of the sound's own frames that one covers; the paper's 0.2 or 1.
    """

    batch: ClassVar[bool] = True

    def __init__(
        self,
        *,
        frequency_masks: Annotated[int, Ge(0)] = 2,
        frequency_width: Annotated[int, Ge(0)] = 16,
        time_masks: Annotated[int, Ge(0)] = 2,
        time_width: Annotated[int, Ge(0)] = 40,
        time_share: Annotated[float, Ge(0), Le(1)] = 0.2,
    ) -> None:
        self.frequency_masks, self.frequency_width = frequency_masks, frequency_width
        self.time_masks, self.time_width, self.time_share = time_masks, time_width, time_share

    def __call__(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch with masks in it."""
        log_mel_NFT, frames_N = log_mel_of(batch, "spec_augment")
        _, bins, frames = log_mel_NFT.shape
        bins_N = torch.full_like(frames_N, bins)
        widest_N = (frames_N * self.time_share).long().clamp(max=self.time_width)
        masked_NF = _masks(rng, self.frequency_masks, bins, bins_N, bins_N.clamp(max=self.frequency_width))
        masked_NT = _masks(rng, self.time_masks, frames, frames_N, widest_N)
        masked_NFT = masked_NF[:, :, None] | masked_NT[:, None]
        return with_log_mel(batch, torch.where(masked_NFT, mean_of_real(log_mel_NFT, frames_N), log_mel_NFT))


def _masks(rng: coview.BatchRng, count: int, places: int, real_N: Tensor, widest_N: Tensor) -> Tensor:
    """``(N, places)``: where any of ``count`` masks lies, each within what is real."""
    place_P = torch.arange(places, device=real_N.device)
    masked_NP = torch.zeros(len(real_N), places, dtype=torch.bool, device=real_N.device)
    for _ in range(count):
        share_N2 = rng.uniform(2)
        width_N = (share_N2[:, 0] * (widest_N + 1)).long()
        start_N = (share_N2[:, 1] * (real_N - width_N + 1)).long()
        masked_NP |= (place_P >= start_N[:, None]) & (place_P < (start_N + width_N)[:, None])
    return masked_NP
