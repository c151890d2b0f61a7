"""BYOL-A's network (arXiv:2103.06695) as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from torch import Tensor

import coview
from coview_audio.encoders.audio_cnn_network import AudioCNNNetwork
from coview_audio.encoders.mel_input import MEAN, STD, MelInput


class AudioCNN(AudioCNNNetwork):
    """BYOL-A's encoder: log-mel of 64 ms frames every 10 ms, three times convolution, batch norm, ReLU and
    max-pool, then two linear layers on each of the remaining frames; the vector of a sound is the mean plus
    the maximum over them.

    Args:
        width: Width of a sound's vector; the paper's 512, 1024 or 2048.
        channels: Channels of the convolutions; the paper's 64.
        mel_bins: Bands of the log-mel spectrogram; the paper's 64.
        sample_rate: Sample rate of the sounds in Hz, the same as the modality's; the paper's 16000.
        dropout: Share dropped between the linear layers; the paper's 0.3.
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the result is divided by.
    """

    starts_trained: ClassVar[bool] = False

    def __init__(
        self,
        *,
        width: Annotated[int, Ge(1)] = 2048,
        channels: Annotated[int, Ge(1)] = 64,
        mel_bins: Annotated[int, Ge(8), Le(1024), MultipleOf(8)] = 64,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.3,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
    ) -> None:
        super().__init__(width=width, channels=channels, mel_bins=mel_bins, dropout=dropout)
        self.input = MelInput(sample_rate, mel_bins, mean, std)
        self._parameters_of_network = {
            "width": width,
            "channels": channels,
            "mel_bins": mel_bins,
            "dropout": dropout,
        }

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each eight frames of 10 ms (N, T, D)."""
        return coview.Encoding(*self.encode(*self.input(batch)))

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate."""
        self.input.check_batch(batch)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with the network's code."""
        from coview_audio.encoders.export import export

        return export(self, "cnn", self._parameters_of_network, self.input, folder)
