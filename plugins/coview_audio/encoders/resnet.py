"""ResNet (arXiv:1512.03385) on log-mel, with masks that follow the lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

import coview
from coview_audio.encoders.masked import MaskedBatchNorm, frame_mask, masked, masked_mean
from coview_audio.encoders.mel_input import MEAN, STD, MelInput


class AudioResNet(nn.Module):
    """A residual network on log-mel of 64 ms frames every 10 ms; the vector of a sound is the mean over all
    places of the last feature map, of 8 × channels numbers.

    Args:
        stem: "imagenet" is a 7×7 convolution of stride 2 and a max-pool; "small" a 3×3 convolution of stride 1
            and no pool, for sounds of a second or less.
        channels: Of the stem and the first stage; each of the three later ones has twice as many as the one
            before. The paper's is 64.
        mel_bins: Bands of the log-mel spectrogram.
        sample_rate: Of the sounds in Hz, the same as the modality's.
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the rest is divided by.
    """

    blocks: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        *,
        stem: Literal["imagenet", "small"] = "imagenet",
        channels: Annotated[int, Ge(1)] = 64,
        mel_bins: Annotated[int, Ge(8)] = 64,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
    ) -> None:
        super().__init__()
        self.input = MelInput(sample_rate, mel_bins, mean, std)
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
        for stage, blocks in enumerate(self.blocks):
            after = channels * 2**stage
            for block in range(blocks):
                self.stages.append(_Block(before, after, stride=2 if stage and not block else 1))
                before = after
        self.width = before
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each step in time (N, T, D)."""
        x_NCFT, lengths_N = self.input(batch)
        x_NCFT = self.stem(x_NCFT)
        if self.halves_at_stem:
            lengths_N = (lengths_N + 1) // 2
        x_NCFT = torch.relu(self.stem_norm(x_NCFT, frame_mask(lengths_N, x_NCFT.shape[-1])))
        if self.halves_at_stem:
            x_NCFT, lengths_N = self.pool(x_NCFT), (lengths_N + 1) // 2
            # its windows overlap: the first that is none of the sound's still sees the sound's end
            x_NCFT = masked(x_NCFT, frame_mask(lengths_N, x_NCFT.shape[-1]))
        for block in self.stages:
            x_NCFT, lengths_N = block(x_NCFT, lengths_N)
        mask_NT = frame_mask(lengths_N, x_NCFT.shape[-1])
        tokens_NTD = x_NCFT.mean(dim=2).transpose(1, 2)
        return coview.Encoding(pooled_ND=masked_mean(tokens_NTD, mask_NT), tokens_NTD=tokens_NTD, mask_NT=mask_NT)


class AudioResNet18(AudioResNet):  # noqa: D101 - as its base
    __doc__ = AudioResNet.__doc__
    blocks = (2, 2, 2, 2)


class AudioResNet34(AudioResNet):  # noqa: D101 - as its base
    __doc__ = AudioResNet.__doc__
    blocks = (3, 4, 6, 3)


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

    def forward(self, x_NCFT: Tensor, lengths_N: Tensor) -> tuple[Tensor, Tensor]:
        y_NCFT = self.first(x_NCFT)
        if self.stride == 2:
            lengths_N = (lengths_N + 1) // 2
        mask_NT = frame_mask(lengths_N, y_NCFT.shape[-1])
        y_NCFT = torch.relu(self.first_norm(y_NCFT, mask_NT))
        y_NCFT = self.second_norm(self.second(y_NCFT), mask_NT)
        if self.shortcut is not None and self.shortcut_norm is not None:
            x_NCFT = self.shortcut_norm(self.shortcut(x_NCFT), mask_NT)
        return torch.relu(x_NCFT + y_NCFT), lengths_N
