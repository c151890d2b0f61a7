"""BYOL-A's post-normalisation: a batch of log-mel of mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

import coview
from coview_audio.augment.log_mel import MelBatch, is_normalised, log_mel_of, with_log_mel

_SMALLEST_STD = torch.finfo(torch.float32).eps


class StandardiseBatch(nn.Module):
    """BYOL-A's normalisation after its augmentations (arXiv:2103.06695): the log-mel of a batch is brought to mean 0
    and standard deviation 1, by one mean and one deviation over all bands, real frames, sounds and views that the step
    makes, on all processes. So what mixup and crops have moved is moved back. ``log_mel`` with ``mean`` and ``std``
    comes before it.
    """

    batch: ClassVar[bool] = True
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        # those of the latest batch; since it has state, it is given the batch of all processes
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))

    def forward(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch, standardised."""
        log_mel_NFT, frames_N = log_mel_of(batch, "standardise_batch")
        if not is_normalised(batch):
            raise coview.CoviewError(
                "standardise_batch works on log-mel that is normalised already, as the encoder then leaves it as it is",
                hint='give use = "log_mel" in [[augment]] mean and std, and the encoder the same',
            )
        _, bins, frames = log_mel_NFT.shape
        real_N1T = (torch.arange(frames, device=frames_N.device) < frames_N[:, None])[:, None]
        count = frames_N.sum() * bins
        self.mean = log_mel_NFT.masked_fill(~real_N1T, 0).sum() / count
        squares = (log_mel_NFT - self.mean).masked_fill(~real_N1T, 0).square().sum()
        self.std = (squares / (count - 1)).sqrt().clamp(min=_SMALLEST_STD)
        return with_log_mel(batch, (log_mel_NFT - self.mean) / self.std)
