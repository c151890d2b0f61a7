"""What every encoder on log-mel begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.encoders.masked import standardised

MEAN, STD = -3.0, 4.5
"""Of the log-mel values of speech, about: what they are normalised by."""

WINDOW = 64.0
"""Length of a frame, in milliseconds."""

Window = Annotated[float, Ge(1), Le(1000)]


class MelInput(nn.Module):
    """From the modality's batch, or one whose log-mel a batch augmentation has made, to normalised log-mel."""

    def __init__(self, sample_rate: int, mel_bins: int, mean: float, std: float, window: float = WINDOW) -> None:
        super().__init__()
        self.front_end = LogMel(LogMelSettings(sample_rate=sample_rate, mel_bins=mel_bins, window=window / 1000))
        self.mean, self.std = mean, std
        self._rate_is_right = False

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """``x_N1FT``, zero where it is padding, and how many frames of each sound are real; None where all are known
        to be."""
        check_rate_once(self, batch, self.front_end.settings.sample_rate)
        if "log_mel_NFT" in batch:
            mel_NFT, lengths_N = batch["log_mel_NFT"], batch["frames_N"]
            if mel_NFT.shape[1] != self.front_end.settings.mel_bins:
                raise coview.CoviewError(
                    f"the encoder takes {self.front_end.settings.mel_bins} mel bins, "
                    f"and the augmentations make {mel_NFT.shape[1]}",
                    hint="give both the same mel_bins",
                )
        else:
            mel_NFT, lengths_N = self.front_end(batch["waveform_NT"], batch["lengths_N"])
        of_padded_N = None if "all_real_N" in batch else lengths_N
        mean, std = (0.0, 1.0) if "normalised_by_N2" in batch else (self.mean, self.std)
        return standardised(mel_NFT, of_padded_N, mean, std), of_padded_N

    def frames(self, batch: Mapping[str, Tensor]) -> tuple[int, Tensor]:
        """How many frames a batch has, and how many of each sound are real, without making them."""
        if "log_mel_NFT" in batch:
            return batch["log_mel_NFT"].shape[2], batch["frames_N"]
        hop = self.front_end.settings.hop_length
        return batch["waveform_NT"].shape[1] // hop + 1, batch["lengths_N"] // hop + 1

    def check_batch(self, batch: Mapping[str, Tensor], /) -> None:
        """Refuses a batch of another sample rate, of other frames, or normalised by other numbers than this has.

        Raises:
            CoviewError: If they differ.
        """
        rate = self.front_end.settings.sample_rate
        check_rate(batch, rate, f"give [encoder] the sample_rate of [modality], or [modality] sample_rate = {rate}")
        window = 1000 * self.front_end.settings.window
        if "window_N" in batch and not math.isclose(made := float(batch["window_N"][0]), window, rel_tol=1e-5):
            raise coview.CoviewError(
                f"the encoder takes log-mel of frames of {window:g} ms, and log_mel in [[augment]] makes {made:g} ms: "
                "it would be trained on other values than it is evaluated on",
                hint="give both the same window",
            )
        if "normalised_by_N2" in batch:
            given = batch["normalised_by_N2"][0]
            if not torch.allclose(given, given.new_tensor([self.mean, self.std])):
                mean, std = given.tolist()
                raise coview.CoviewError(
                    f"the encoder normalises log-mel by the mean {self.mean:g} and the standard deviation "
                    f"{self.std:g}, and log_mel in [[augment]] by {mean:g} and {std:g}: it would be trained on other "
                    "values than it is evaluated on",
                    hint="give both the same mean and std",
                )


def check_rate(batch: Mapping[str, Tensor], wanted: int, hint: str) -> None:
    """Refuses a batch of another sample rate.

    Raises:
        CoviewError: If the rates differ.
    """
    rate = int(batch["rate_N"][0])
    if rate != wanted:
        raise coview.CoviewError(f"the encoder takes sounds of {wanted} Hz, and [modality] makes {rate} Hz", hint=hint)


def check_rate_once(module: nn.Module, batch: Mapping[str, Tensor], wanted: int) -> None:
    """The same for each batch that a module sees, also by hand; looks once, since looking waits for the device."""
    if getattr(module, "_rate_is_right", False) or batch["rate_N"].is_meta:
        return
    check_rate(batch, wanted, of_modality(wanted))
    module._rate_is_right = True  # type: ignore[assignment]


def of_modality(wanted: int) -> str:
    """The hint of an encoder whose sample rate is fixed."""
    return f"set sample_rate = {wanted} in [modality]"
