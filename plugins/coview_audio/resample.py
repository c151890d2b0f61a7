"""From one sample rate to another, by soxr."""

from __future__ import annotations

import numpy as np
import soxr

from coview_audio.sound import Sound


def resampled(sound: Sound, rate: int) -> Sound:
    """The same sound at another rate, band-limited; itself where the rate is the same already.

    Of a sound too short for one sample at the new rate, one is kept.
    """
    if sound.rate == rate:
        return sound
    samples_T = soxr.resample(sound.samples_T, sound.rate, rate, quality="HQ")
    return Sound(samples_T if len(samples_T) else np.ascontiguousarray(sound.samples_T[:1]), rate)
