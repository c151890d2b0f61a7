"""Keeps a band of frequencies, as a telephone or a small loudspeaker does."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.signal import butter, sosfilt

import coview
from coview_audio.augment.ranges import check_range, happens, log_uniform
from coview_audio.sound import Sound

_Hz = Annotated[float, Gt(0)]
_NYQUIST_SHARE = 0.95


class BandPass:
    """Keeps a band of frequencies by a Butterworth filter, and attenuates what is outside of it.

    Args:
        low_hz: Smallest and largest lower edge of the band, in Hz; its logarithm is drawn evenly.
        high_hz: Likewise the upper edge. What is beyond half of the sound's rate is drawn back to just below it.
        order: Order of the filter: each adds 6 dB an octave at each edge.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        low_hz: tuple[_Hz, _Hz] = (50.0, 500.0),
        high_hz: tuple[_Hz, _Hz] = (1500.0, 7500.0),
        order: Annotated[int, Ge(1), Le(8)] = 2,
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
    ) -> None:
        check_range("low_hz", low_hz)
        check_range("high_hz", high_hz)
        if low_hz[1] >= high_hz[0]:
            raise ValueError(f"low_hz has to end below where high_hz begins, got {low_hz[1]:g} and {high_hz[0]:g}")
        self.low_hz, self.high_hz, self.order, self.p = low_hz, high_hz, order, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The filtered sound."""
        if not happens(self.p, rng):
            return value
        low, high = (log_uniform(ends, rng) for ends in (self.low_hz, self.high_hz))
        high = min(high, _NYQUIST_SHARE * value.rate / 2)
        if low >= high:  # a band beyond what the rate can carry
            return value
        sections = butter(self.order, (low, high), btype="bandpass", output="sos", fs=value.rate)
        return value.with_samples(sosfilt(sections.astype(np.float32), value.samples_T))
