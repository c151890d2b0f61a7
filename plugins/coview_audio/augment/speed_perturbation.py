"""Makes the sound faster and higher, or slower and lower, as a tape does."""

from __future__ import annotations

from typing import Annotated

import soxr
from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import check_range, happens, log_uniform
from coview_audio.sound import Sound

_Rate = Annotated[float, Ge(0.25), Le(4)]


class SpeedPerturbation:
    """Makes the sound faster and higher, or slower and lower, by one factor: resampling, played at the old rate.

    It moves the formants with the pitch, as a longer or shorter vocal tract does, and costs a small part of what
    ``pitch_shift`` and ``time_stretch`` cost, which change one without the other. From "Audio Augmentation for Speech
    Recognition" (Ko et al., Interspeech 2015), who use 0.9, 1 and 1.1.

    Args:
        rate: Smallest and largest speed, 2 being twice as fast and an octave higher; its logarithm is drawn evenly,
            and the speed rounded to hundredths, between which nobody hears a difference.
        p: Probability of being applied.
    """

    def __init__(self, *, rate: tuple[_Rate, _Rate] = (0.9, 1.1), p: Annotated[float, Ge(0), Le(1)] = 1.0) -> None:
        check_range("rate", rate)
        self.rate, self.p = rate, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound at another speed; it has at least one sample."""
        if not happens(self.p, rng):
            return value
        drawn = round(log_uniform(self.rate, rng), 2)
        rate = min(max(drawn, self.rate[0]), self.rate[1])
        # a filter for a ratio of small numbers is made in a quarter of the time
        samples_T = soxr.resample(value.samples_T, round(100 * rate, 6), 100, quality="HQ")
        return value.with_samples(samples_T) if len(samples_T) else value
