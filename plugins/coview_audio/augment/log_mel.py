"""From waveforms to log-mel, on the device; and a batch in log-mel, which the steps after it work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

import coview
from coview_audio.encoders.log_mel import LogMel, LogMelSettings
from coview_audio.encoders.mel_input import WINDOW, Window

MelBatch = Mapping[str, Tensor]
"""``log_mel_NFT`` natural logarithms of power, ``frames_N`` how many are real, ``rate_N`` the sample rate, ``window_N``
the length of a frame in milliseconds.

Where they are normalised, ``normalised_by_N2`` has the mean and the standard deviation that they are normalised by.
``all_real_N`` is there where no sound of the batch is padded.
"""


class LogMelStep:
    """Turns waveforms into log-mel spectrograms, a frame every 10 ms, as the encoders on log-mel do
    themselves where no step has; for ``mixup``, ``random_resize_crop``, ``spec_augment`` and
    ``standardise_batch``, which come after it.

    Args:
        mel_bins: Bands, the same as the encoder's.
        sample_rate: Sample rate of the sounds in Hz, the same as the modality's.
        window: Length of a frame, in milliseconds, the same as the encoder's.
        mean: Mean of the log-mel values of the data, the same as the encoder's; ``coview data show`` says it. Given
            this and ``std``, the values are normalised here, as BYOL-A's are before its mixup, and not again by the
            encoder. Without them they are natural logarithms of power.
        std: Standard deviation of the log-mel values of the data; see ``mean``.
    """

    batch: ClassVar[bool] = True
    deterministic: ClassVar[bool] = True

    def __init__(
        self,
        *,
        mel_bins: Annotated[int, Ge(8), Le(1024)] = 64,
        sample_rate: Annotated[int, Ge(1000), Le(192000)] = 16000,
        window: Window = WINDOW,
        mean: float | None = None,
        std: Annotated[float, Gt(0)] | None = None,
    ) -> None:
        if (mean is None) != (std is None):
            raise ValueError("mean and std belong together: give both, or neither")
        self._normalised_by = None if mean is None or std is None else (mean, std)
        self._settings = LogMelSettings(sample_rate=sample_rate, mel_bins=mel_bins, window=window / 1000)
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
        window_N = mel_NFT.new_full((len(mel_NFT),), 1000 * self._settings.window)
        made = {"log_mel_NFT": mel_NFT, "frames_N": frames_N, "rate_N": batch["rate_N"], "window_N": window_N}
        made |= {name: batch[name] for name in ("all_real_N",) if name in batch}
        if self._normalised_by is None:
            return made
        mean, std = self._normalised_by
        by_N2 = torch.stack([mel_NFT.new_full((len(mel_NFT),), value) for value in (mean, std)], 1)
        return {**made, "log_mel_NFT": (mel_NFT - mean) / std, "normalised_by_N2": by_N2}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_front_end": None}


def log_mel_of(batch: MelBatch, step: str) -> tuple[Tensor, Tensor]:
    """``log_mel_NFT`` and ``frames_N``.

    Raises:
        CoviewError: If no step before has made them.
    """
    if "log_mel_NFT" not in batch:
        raise coview.CoviewError(f"{step} works on log-mel", hint='put use = "log_mel" before it in [[augment]]')
    return batch["log_mel_NFT"], batch["frames_N"]


def is_normalised(batch: MelBatch) -> bool:
    """Whether its log-mel is normalised: 0 is then the mean of the data."""
    return "normalised_by_N2" in batch


def with_log_mel(batch: MelBatch, log_mel_NFT: Tensor) -> MelBatch:
    """Other values, all else the same."""
    return {**batch, "log_mel_NFT": log_mel_NFT}


def mean_of_real(log_mel_NFT: Tensor, frames_N: Tensor) -> Tensor:
    """``(N, 1, 1)``: the mean over the bands and the real frames of each sound."""
    real_N1T = (torch.arange(log_mel_NFT.shape[2], device=frames_N.device) < frames_N[:, None])[:, None]
    total_N11 = log_mel_NFT.masked_fill(~real_N1T, 0).sum((1, 2), keepdim=True)
    return total_N11 / (frames_N * log_mel_NFT.shape[1]).view(-1, 1, 1)
