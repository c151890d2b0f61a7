"""Puts the sound into a room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.signal import oaconvolve

import coview
from coview_audio.augment.ranges import check_range, happens, log_uniform
from coview_audio.augment.sound_bank import SoundBank
from coview_audio.sound import Sound

_Seconds = Annotated[float, Gt(0), Le(10)]
_Share = Annotated[float, Ge(0), Le(1)]
_THOUSANDTH = np.log(1000.0)


class Reverb:
    """Puts the sound into a room: it is mixed with its convolution with the room's impulse response. The length stays,
    and the reverberation beyond it is cut off.

    Args:
        decay: Smallest and largest time in which the room's sound fades by 60 dB, in seconds; its logarithm is
            drawn evenly. The made response is noise that fades exponentially.
        wet: Smallest and largest share of the power that comes from the room.
        folder: Folder with recorded impulse responses in sound files; given that, one of them is taken in place of
            a made one.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        decay: tuple[_Seconds, _Seconds] = (0.1, 0.8),
        wet: tuple[_Share, _Share] = (0.1, 0.5),
        folder: Path | None = None,
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        check_range("decay", decay)
        check_range("wet", wet)
        self.decay, self.wet, self.p = decay, wet, p
        self._bank = None if folder is None else SoundBank(folder, "impulse response")

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound in a room."""
        if not happens(self.p, rng):
            return value
        wet = rng.numpy.uniform(*self.wet)
        response_T = self._made(value.rate, rng) if self._bank is None else self._bank.draw(value.rate, rng)
        energy = float(np.dot(response_T, response_T))
        if energy == 0:
            return value
        # rang beyond the end is cut, so no more of the response is ever heard
        response_T = response_T[: len(value)] * np.float32(np.sqrt(wet / energy))
        room_T = oaconvolve(value.samples_T, response_T)[: len(value)]
        return value.with_samples(room_T + np.float32(np.sqrt(1 - wet)) * value.samples_T)

    def _made(self, rate: int, rng: coview.Rng) -> np.ndarray:
        seconds = log_uniform(self.decay, rng)
        length = max(1, round(seconds * rate))
        fading_T = np.exp(np.arange(length, dtype=np.float32) * np.float32(-_THOUSANDTH / length))
        faded: np.ndarray = fading_T * rng.numpy.standard_normal(length, dtype=np.float32)
        return faded
