"""How sounds become the input of CLAP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoFeatureExtractor, ClapFeatureExtractor


@dataclass(frozen=True)
class ClapInput:
    """Turns sounds into log-mel by transformers' own code, on the CPU, one by one.

    It draws nothing at random. If a sound is longer than the input of the model, it takes the middle. CLAP's own
    preparation takes a random part, or fuses several parts.

    Attributes:
        extractor: transformers' ``ClapFeatureExtractor``.
        channels: 4 if the model fuses parts of long sounds, and 1 otherwise. All 4 channels of a short sound are equal.
    """

    extractor: Any
    channels: int

    @classmethod
    def of(cls, name: str, *, fuses: bool) -> ClapInput:
        """The preparation that the folder or the hub names, or transformers' default.

        Args:
            name: A local folder or a hub id.
            fuses: Whether the model fuses parts of long sounds.
        """
        try:
            # without False, transformers would ask in the terminal whether to run foreign code
            extractor: Any = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError):
            extractor = ClapFeatureExtractor(truncation="fusion" if fuses else "rand_trunc")
        return cls(extractor, 4 if fuses else 1)

    @property
    def sample_rate(self) -> int:
        """Of the sounds, in Hz."""
        return int(self.extractor.sampling_rate)

    def __call__(self, waveform_NL: Tensor, lengths_N: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel ``(N, C, T, F)``, and ``(N, 1)`` false: no row has the fused parts of a longer sound.

        L sample in time · C channel · T frame · F band
        """
        longest = int(self.extractor.nb_max_samples)
        is_longer_N1 = torch.zeros(len(waveform_NL), 1, dtype=torch.bool, device=waveform_NL.device)
        if waveform_NL.is_meta:
            shape = self.channels, longest // self.extractor.hop_length + 1, self.extractor.feature_size
            return waveform_NL.new_zeros(len(waveform_NL), *shape), is_longer_N1
        sounds = []
        for row, length in zip(waveform_NL.float().cpu().numpy(), lengths_N.tolist(), strict=True):
            start = max(0, (length - longest) // 2)
            sounds.append(row[start : min(max(1, length), start + longest)])
        state = np.random.get_state()  # the extractor of a model that fuses calls one random sound long
        try:
            prepared = self.extractor(sounds, sampling_rate=self.sample_rate, return_tensors="pt")
        finally:
            np.random.set_state(state)
        mel_NCTF: Tensor = prepared["input_features"]
        return mel_NCTF.to(waveform_NL.device, torch.float32), is_longer_N1
