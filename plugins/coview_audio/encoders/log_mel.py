"""The log-mel front end: computed in fp32, on the device where the samples are.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

_FLOOR = torch.finfo(torch.float32).eps
_AT_ONCE_ON_A_CPU = 8  # sounds: the spectra of more do not stay in its cache, and take up to twice as long


@dataclass(frozen=True)
class LogMelSettings:
    """BYOL-A's log-mel spectrogram (arXiv:2103.06695, §IV-A) by default.

    Attributes:
        sample_rate: Samples a second.
        mel_bins: Bands of the mel scale.
        window, hop: Of a frame, in seconds.
        transform: What a shorter window is filled up to with zeros, in seconds, so that more frequencies are told
            apart and no band is empty.
        lowest, highest: Hz; the highest at most half of the sample rate, and that where it is more.
    """

    sample_rate: int = 16000
    mel_bins: int = 64
    window: float = 0.064
    hop: float = 0.010
    transform: float = 0.064
    lowest: float = 60.0
    highest: float = 7800.0

    @property
    def hop_length(self) -> int:
        """In samples."""
        return round(self.hop * self.sample_rate)


class LogMel(nn.Module):
    """From padded waveforms to the logarithm of their mel bands' power.

    Frame t is centred on sample t · hop, and what lies outside of a sound is silence: so padding changes no frame.
    """

    def __init__(self, settings: LogMelSettings) -> None:
        super().__init__()
        self.settings = settings
        window = round(settings.window * settings.sample_rate)
        self._n_fft = 1 << (max(window, round(settings.transform * settings.sample_rate)) - 1).bit_length()
        device = torch.empty(0).device
        with torch.device("cpu"):  # torchaudio looks at the values of the filters, which a meta tensor does not have
            filters_KF = melscale_fbanks(
                self._n_fft // 2 + 1,
                settings.lowest,
                min(settings.highest, settings.sample_rate / 2),
                settings.mel_bins,
                settings.sample_rate,
            )
        # both follow from the settings, and are no weights to be kept
        self.register_buffer("filters_FK", filters_KF.T.contiguous().to(device), persistent=False)
        self.register_buffer("window", torch.hann_window(window, device=device), persistent=False)

    def forward(self, waveform_NL: Tensor, lengths_N: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel ``(N, F, T)``, and how many frames of each sound are real, at least one.  L sample in time

        What is no real frame is of no meaning.
        """
        device = waveform_NL.device.type
        # there is no autocast for tensors without values
        with nullcontext() if device == "meta" else torch.autocast(device, enabled=False):
            parts = waveform_NL.float().split(_AT_ONCE_ON_A_CPU if device == "cpu" else max(len(waveform_NL), 1))
            log_mel_NFT = torch.cat([self._log_mel(part_nL) for part_nL in parts])
            return log_mel_NFT, lengths_N // self.settings.hop_length + 1

    def _log_mel(self, waveform_NL: Tensor) -> Tensor:
        spectrum_NKT = torch.stft(
            waveform_NL,
            self._n_fft,
            hop_length=self.settings.hop_length,
            win_length=len(cast(Tensor, self.window)),
            window=cast(Tensor, self.window),
            pad_mode="constant",
            return_complex=True,
        )
        power_NKT = spectrum_NKT.real.square().addcmul_(spectrum_NKT.imag, spectrum_NKT.imag)
        return (cast(Tensor, self.filters_FK) @ power_NKT).add(_FLOOR).log()
