"""From waveforms to log-mel, on the device, for the steps that work on that."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Le

import coview
from coview_audio.augment.mel_batch import MelBatch
from coview_audio.encoders.log_mel import LogMel, LogMelSettings


class LogMelStep:
    """Turns waveforms into log-mel spectrograms of 64 ms frames every 10 ms, as the encoders on log-mel do
    themselves where no step has; for ``mixup``, ``random_resize_crop`` and ``spec_augment``, which come after it.

    Args:
        mel_bins: Bands, the same as the encoder's.
        sample_rate: Of the sounds in Hz, the same as the modality's.
    """

    batch: ClassVar[bool] = True

    def __init__(
        self,
        *,
        mel_bins: Annotated[int, Ge(8), Le(1024)] = 64,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
    ) -> None:
        self._settings = LogMelSettings(sample_rate=sample_rate, mel_bins=mel_bins)
        self._front_end: LogMel | None = None

    def __call__(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch in log-mel."""
        device = batch["waveform_NT"].device
        if self._front_end is None:
            rate = int(batch["rate_N"][0])
            if rate != self._settings.sample_rate:
                raise coview.CoviewError(
                    f"log_mel takes sounds of {self._settings.sample_rate} Hz, and the batch has {rate} Hz",
                    hint=f"set sample_rate = {rate} in it",
                )
            self._front_end = LogMel(self._settings)
        with torch.no_grad():
            mel_NFT, frames_N = self._front_end.to(device)(batch["waveform_NT"], batch["lengths_N"])
        return {"log_mel_NFT": mel_NFT, "frames_N": frames_N, "rate_N": batch["rate_N"]}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_front_end": None}
