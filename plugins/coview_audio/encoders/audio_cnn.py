"""BYOL-A's network (arXiv:2103.06695): three convolutions on log-mel, two layers on each frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt, MultipleOf
from torch import Tensor, nn

import coview
from coview_audio.encoders.masked import MaskedBatchNorm, frame_mask, masked_max, masked_mean
from coview_audio.encoders.mel_input import MEAN, STD, MelInput

_BLOCKS = 3


class AudioCNN(nn.Module):
    """BYOL-A's encoder: log-mel of 64 ms frames every 10 ms, three times convolution, batch norm, ReLU and
    max-pool, then two linear layers on each of the remaining frames; the vector of a sound is the mean plus
    the maximum over them.

    Args:
        width: Numbers that come out; the paper's 512, 1024 or 2048.
        channels: Of the convolutions; the paper's 64.
        mel_bins: Bands of the log-mel spectrogram; the paper's 64.
        sample_rate: Of the sounds in Hz, the same as the modality's; the paper's 16000.
        dropout: Share dropped between the linear layers; the paper's 0.3.
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the rest is divided by.
    """

    def __init__(
        self,
        *,
        width: Annotated[int, Ge(1)] = 2048,
        channels: Annotated[int, Ge(1)] = 64,
        mel_bins: Annotated[int, Ge(8), MultipleOf(8)] = 64,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.3,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
    ) -> None:
        super().__init__()
        self.width = width
        self.input = MelInput(sample_rate, mel_bins, mean, std)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels if block else 1, channels, kernel_size=3, padding=1) for block in range(_BLOCKS)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(channels) for _ in range(_BLOCKS))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.layers = nn.Sequential(
            nn.Linear(channels * mel_bins // 2**_BLOCKS, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
        )

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each eight frames of 10 ms (N, T, D)."""
        x_NCFT, lengths_N = self.input(batch)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
            # behind a ReLU zero is the least that there is, so that pooling over padding changes nothing
            x_NCFT = self.pool(torch.relu(norm(convolution(x_NCFT), mask_NT)))
            lengths_N = (lengths_N + 1) // 2
        mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
        tokens_NTD = self.layers(x_NCFT.flatten(1, 2).transpose(1, 2))
        pooled_ND = masked_mean(tokens_NTD, mask_NT) + masked_max(tokens_NTD, mask_NT)
        return coview.Encoding(pooled_ND=pooled_ND, tokens_NTD=tokens_NTD, mask_NT=mask_NT)
