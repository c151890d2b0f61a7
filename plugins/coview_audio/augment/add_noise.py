"""Adds noise at a signal-to-noise ratio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from scipy.fft import irfft, next_fast_len, rfft

import coview
from coview_audio.augment.ranges import check_range, happens
from coview_audio.augment.sound_bank import SoundBank
from coview_audio.sound import Sound

_SLOPE = {"white": 0.0, "pink": -0.5, "brown": -1.0, "blue": 0.5, "violet": 1.0}
"""Exponent of the frequency, of the amplitude."""


class AddNoise:
    """Adds noise at a signal-to-noise ratio: white, coloured, or recorded. Silence stays silence, because no noise has
    a ratio to it.

    Args:
        snr_db: Smallest and largest ratio of the sound's power to the noise's in dB, between which it is drawn.
        color: Colour of the made noise: its power is equal at all frequencies ("white"), falls by 3 dB ("pink") or 6 dB
            ("brown") an octave, or rises by as much ("blue", "violet").
        folder: Folder with recorded noise in sound files; given that, an excerpt of one is taken in place of made
            noise, repeated where it is too short.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        snr_db: tuple[Annotated[float, Ge(-100), Le(100)], Annotated[float, Ge(-100), Le(100)]] = (5.0, 30.0),
        color: Literal["white", "pink", "brown", "blue", "violet"] = "white",
        folder: Path | None = None,
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        check_range("snr_db", snr_db)
        self.snr_db, self.color, self.p = snr_db, color, p
        self._bank = None if folder is None else SoundBank(folder, "noise")

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound in noise."""
        if not happens(self.p, rng):
            return value
        snr_db = rng.numpy.uniform(*self.snr_db)
        power = _power(value.samples_T)
        noise_T = _made(len(value), self.color, rng) if self._bank is None else self._recorded(value, rng)
        noise_power = _power(noise_T)
        if power == 0 or noise_power == 0:
            return value
        noise_T *= np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))
        noise_T += value.samples_T
        return value.with_samples(noise_T)

    def _recorded(self, value: Sound, rng: coview.Rng) -> np.ndarray:
        assert self._bank is not None
        noise_T = self._bank.draw(value.rate, rng)
        spare = len(noise_T) - len(value)
        if spare < 0:
            return np.resize(noise_T, len(value))
        start = int(rng.numpy.integers(spare + 1))
        return noise_T[start : start + len(value)].copy()


def _power(samples_T: np.ndarray) -> float:
    return float(np.dot(samples_T, samples_T)) / len(samples_T)


def _made(length: int, color: str, rng: coview.Rng) -> np.ndarray:
    if color == "white":
        return rng.numpy.standard_normal(length, dtype=np.float32)
    padded = next_fast_len(length, real=True)
    spectrum = rfft(rng.numpy.standard_normal(padded, dtype=np.float32))
    frequency = np.arange(len(spectrum), dtype=np.float32)
    frequency[0] = 1  # a constant has no pitch: as the lowest one that there is
    spectrum *= frequency ** np.float32(_SLOPE[color])
    noise_T: np.ndarray = irfft(spectrum, padded)[:length].astype(np.float32)
    return noise_T
