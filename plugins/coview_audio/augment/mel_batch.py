"""A batch of sounds as log-mel: what the steps after ``log_mel`` work on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

import coview

MelBatch = Mapping[str, Tensor]
"""``log_mel_NFT`` natural logarithms of power, ``frames_N`` how many are real, ``rate_N`` the sample rate."""


def log_mel_of(batch: MelBatch, step: str) -> tuple[Tensor, Tensor]:
    """``log_mel_NFT`` and ``frames_N``.

    Raises:
        CoviewError: If no step before has made them.
    """
    if "log_mel_NFT" not in batch:
        raise coview.CoviewError(f"{step} works on log-mel", hint='put use = "log_mel" before it in [[augment]]')
    return batch["log_mel_NFT"], batch["frames_N"]


def with_log_mel(batch: MelBatch, log_mel_NFT: Tensor) -> MelBatch:
    """Other values, all else the same."""
    return {**batch, "log_mel_NFT": log_mel_NFT}


def mean_of_real(log_mel_NFT: Tensor, frames_N: Tensor) -> Tensor:
    """``(N, 1, 1)``: the mean over the bands and the real frames of each sound."""
    real_N1T = (torch.arange(log_mel_NFT.shape[2], device=frames_N.device) < frames_N[:, None])[:, None]
    total_N11 = log_mel_NFT.masked_fill(~real_N1T, 0).sum((1, 2), keepdim=True)
    return total_N11 / (frames_N * log_mel_NFT.shape[1]).view(-1, 1, 1)
