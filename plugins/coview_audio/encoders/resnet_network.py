"""A residual network on log-mel.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from .masked import MaskedBatchNorm, frame_mask, halved, masked, masked_mean


class AudioResNetNetwork(nn.Module):
    """From standardised log-mel to one vector for each step in time, and one for the sound.

    Args:
        blocks: How many in each of the four stages.
        stem: "imagenet" or "small".
        channels: Channels of the stem and the first stage; each later one has twice as many.
    """

    def __init__(self, *, blocks: Sequence[int], stem: Literal["imagenet", "small"], channels: int) -> None:
        super().__init__()
        self.halves_at_stem = stem == "imagenet"
        self.stem = (
            nn.Conv2d(1, channels, kernel_size=7, stride=2, padding=3, bias=False)
            if self.halves_at_stem
            else nn.Conv2d(1, channels, kernel_size=3, padding=1, bias=False)
        )
        self.stem_norm = MaskedBatchNorm(channels)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        before = channels
        for stage, count in enumerate(blocks):
            after = channels * 2**stage
            for block in range(count):
                self.stages.append(_Block(before, after, stride=2 if stage and not block else 1))
                before = after
        self.width = before
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def encode(self, x_NCFT: Tensor, lengths_N: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pooled features (N, D), those of each step in time (N, T, D), and which of these are real; None for all."""
        x_NCFT = self.stem(x_NCFT)
        if self.halves_at_stem:
            lengths_N = halved(lengths_N)
        x_NCFT = torch.relu(self.stem_norm(x_NCFT, frame_mask(lengths_N, x_NCFT.shape[-1])))
        if self.halves_at_stem:
            x_NCFT, lengths_N = self.pool(x_NCFT), halved(lengths_N)
            # its windows overlap: the first that is none of the sound's still sees the sound's end
            x_NCFT = masked(x_NCFT, frame_mask(lengths_N, x_NCFT.shape[-1]))
        for block in self.stages:
            x_NCFT, lengths_N = block(x_NCFT, lengths_N)
        mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
        tokens_NTD = x_NCFT.mean(dim=2).transpose(1, 2)
        return masked_mean(tokens_NTD, mask_NT), tokens_NTD, mask_NT


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=False)
        self.first_norm = MaskedBatchNorm(after)
        self.second = nn.Conv2d(after, after, kernel_size=3, padding=1, bias=False)
        self.second_norm = MaskedBatchNorm(after)
        self.shortcut = (
            None
            if before == after and stride == 1
            else nn.Conv2d(before, after, kernel_size=1, stride=stride, bias=False)
        )
        self.shortcut_norm = None if self.shortcut is None else MaskedBatchNorm(after)

    def forward(self, x_NCFT: Tensor, lengths_N: Tensor | None) -> tuple[Tensor, Tensor | None]:
        y_NCFT = self.first(x_NCFT)
        if self.stride == 2:
            lengths_N = halved(lengths_N)
        mask_NT = frame_mask(lengths_N, y_NCFT.shape[-1])
        y_NCFT = torch.relu(self.first_norm(y_NCFT, mask_NT))
        y_NCFT = self.second_norm(self.second(y_NCFT), mask_NT)
        if self.shortcut is not None and self.shortcut_norm is not None:
            x_NCFT = self.shortcut_norm(self.shortcut(x_NCFT), mask_NT)
        return torch.relu(x_NCFT + y_NCFT), lengths_N
