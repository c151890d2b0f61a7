"""From one sample rate to another, by soxr."""

from __future__ import annotations

import numpy as np
import soxr

import coview
from coview_audio.sound import Sound

LARGEST = 2**28
"""Samples of a sound, over all its channels: a gigabyte, or four hours at 16 kHz."""


def resampled(sound: Sound, rate: int, what: str = "sound") -> Sound:
    """The same sound at another rate, band-limited; itself where the rate is the same already.

    Of a sound too short for one sample at the new rate, one is kept.

    Raises:
        SampleError: If it would be of more than 2²⁸ samples: files may claim any rate.
    """
    if sound.rate == rate:
        return sound
    check_size(len(sound) * rate // sound.rate, f"{what} of {sound.rate} Hz at {rate} Hz")
    samples_T = soxr.resample(sound.samples_T, sound.rate, rate, quality="HQ")
    return Sound(samples_T if len(samples_T) else np.ascontiguousarray(sound.samples_T[:1]), rate)


def check_size(samples: int, what: str) -> None:
    """Refuses what would fill the memory.

    Raises:
        SampleError: If there are more than 2²⁸ samples.
    """
    if samples > LARGEST:
        raise coview.SampleError(what, f"has {samples:,} samples, more than {LARGEST:,}")
