"""BYOL-A's network (arXiv:2103.06695): three convolutions on log-mel, two layers on each frame.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .masked import MaskedBatchNorm, frame_mask, halved, masked_max, masked_mean

_BLOCKS = 3


class AudioCNNNetwork(nn.Module):
    """From standardised log-mel to one vector for each eight frames, and one for the sound.

    Args:
        width: Numbers that come out.
        channels: Of the convolutions.
        mel_bins: Bands of the log-mel spectrogram, a multiple of 8.
        dropout: Share dropped between the linear layers.
    """

    def __init__(self, *, width: int, channels: int, mel_bins: int, dropout: float) -> None:
        super().__init__()
        self.width = width
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

    def encode(self, x_NCFT: Tensor, lengths_N: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pooled features (N, D), those of each eight frames (N, T, D), and which of these are real; None for all."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
            # behind a ReLU zero is the least that there is, so that pooling over padding changes nothing
            x_NCFT = self.pool(torch.relu(norm(convolution(x_NCFT), mask_NT)))
            lengths_N = halved(lengths_N)
        mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
        tokens_NTD: Tensor = self.layers(x_NCFT.flatten(1, 2).transpose(1, 2))
        return masked_mean(tokens_NTD, mask_NT) + masked_max(tokens_NTD, mask_NT), tokens_NTD, mask_NT
