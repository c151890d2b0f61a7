"""Residual networks on log-mel as encoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor

import coview
from coview_audio.encoders.mel_input import MEAN, STD, WINDOW, MelInput, Window
from coview_audio.encoders.resnet_network import AudioResNetNetwork


class AudioResNet(AudioResNetNetwork):
    """A residual network on log-mel, a frame every 10 ms; the vector of a sound is the mean over all
    places of the last feature map, of 8 × channels numbers.

    Args:
        stem: "imagenet" is a 7×7 convolution of stride 2 and a max-pool; "small" a 3×3 convolution of stride 1
            and no pool, for sounds of a second or less.
        channels: Channels of the stem and the first stage; each of the three later ones has twice as many as the one
            before. The paper's is 64.
        mel_bins: Bands of the log-mel spectrogram.
        sample_rate: Sample rate of the sounds in Hz, the same as the modality's.
        mean: Subtracted from the log-mel values; about that of speech.
        std: What the result is divided by.
        window: Length of a frame, in milliseconds.
    """

    starts_trained: ClassVar[bool] = False

    blocks: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        *,
        stem: Literal["imagenet", "small"] = "imagenet",
        channels: Annotated[int, Ge(1)] = 64,
        mel_bins: Annotated[int, Ge(8), Le(1024)] = 64,
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        mean: float = MEAN,
        std: Annotated[float, Gt(0)] = STD,
        window: Window = WINDOW,
    ) -> None:
        super().__init__(blocks=self.blocks, stem=stem, channels=channels)
        self.input = MelInput(sample_rate, mel_bins, mean, std, window)
        self._parameters_of_network = {"blocks": self.blocks, "stem": stem, "channels": channels}

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each step in time (N, T, D)."""
        return coview.Encoding(*self.encode(*self.input(batch)))

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate."""
        self.input.check_batch(batch)

    def layer_numbers(self) -> dict[str, int]:
        """The stem, then each block."""
        return coview.stacked_layers(self)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with the network's code."""
        from coview_audio.encoders.export import export

        return export(self, "resnet", self._parameters_of_network, self.input, folder)


class AudioResNet18(AudioResNet):  # noqa: D101 - as its base
    __doc__ = AudioResNet.__doc__
    blocks = (2, 2, 2, 2)


class AudioResNet34(AudioResNet):  # noqa: D101 - as its base
    __doc__ = AudioResNet.__doc__
    blocks = (3, 4, 6, 3)
