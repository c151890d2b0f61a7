"""What every encoder on log-mel begins with."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

import coview
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.encoders.masked import standardised

MEAN, STD = -3.0, 4.5
"""Of the log-mel values of speech, about: what they are normalised by."""


class MelInput(nn.Module):
    """From the modality's batch, or one whose log-mel a batch augmentation has made, to normalised log-mel."""

    def __init__(self, sample_rate: int, mel_bins: int, mean: float, std: float) -> None:
        super().__init__()
        self.front_end = LogMel(LogMelSettings(sample_rate=sample_rate, mel_bins=mel_bins))
        self.mean, self.std = mean, std
        self._rate_is_right = False

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """``x_N1FT``, zero where it is padding, and how many frames of each sound are real."""
        check_rate(self, batch, self.front_end.settings.sample_rate)
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
        return standardised(mel_NFT, lengths_N, self.mean, self.std), lengths_N


def check_rate(module: nn.Module, batch: Mapping[str, Tensor], wanted: int) -> None:
    """Refuses a batch of another sample rate; looks once, since looking waits for the device.

    Raises:
        CoviewError: If the rates differ.
    """
    if getattr(module, "_rate_is_right", False) or batch["rate_N"].is_meta:
        return
    rate = int(batch["rate_N"][0])
    if rate != wanted:
        raise coview.CoviewError(
            f"the encoder takes sounds of {wanted} Hz, and the batch has {rate} Hz",
            hint=f"set sample_rate = {wanted} in [modality] and in [data]",
        )
    module._rate_is_right = True  # type: ignore[assignment]
