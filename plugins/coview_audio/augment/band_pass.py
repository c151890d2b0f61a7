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
        sections_O6 = sections_of(self.order, low, high, value.rate)
        return value.with_samples(sosfilt(sections_O6.astype(np.float32), value.samples_T))


def sections_of(order: int, low: float, high: float, rate: float) -> np.ndarray:
    """A Butterworth band-pass as second-order sections, ``(order, 6)`` float64, for ``scipy.signal.sosfilt``.

    The poles are SciPy's. Its own search for which zeros go with which poles takes four times as long as all else, and
    is a search for nothing here: half of the zeros are at 1 and half at -1, so each pair of poles gets one of both.

    Args:
        order: Of the filter, and so the number of sections.
        low, high: Edges of the band, in Hz.
        rate: Samples a second.
    """
    _, poles, gain = butter(order, (low, high), btype="bandpass", output="zpk", fs=rate)
    upper, real = poles[poles.imag > 0], np.sort(poles[poles.imag == 0].real)
    pairs = [*zip(upper, upper.conj(), strict=True), *real.reshape(-1, 2)]
    sections = np.array([(1.0, 0.0, -1.0, 1.0, -(a + b).real, (a * b).real) for a, b in pairs])
    sections[0, :3] *= gain
    return sections
