"""Makes the sound faster or slower at the same pitch."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from python_stretch.Signalsmith import Stretch

import coview
from coview_audio.augment.ranges import check_range, happens, log_uniform
from coview_audio.sound import Sound

_Rate = Annotated[float, Ge(0.25), Le(4)]


class TimeStretch:
    """Makes the sound faster or slower at the same pitch, and so shorter or longer.

    Args:
        rate: Smallest and largest tempo, 2 being twice as fast; its logarithm is drawn evenly.
        p: Probability of being applied.
    """

    def __init__(self, *, rate: tuple[_Rate, _Rate] = (0.8, 1.25), p: Annotated[float, Ge(0), Le(1)] = 1.0) -> None:
        check_range("rate", rate)
        self.rate, self.p = rate, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound at another tempo."""
        if not happens(self.p, rng):
            return value
        return stretched(value, rng, rate=log_uniform(self.rate, rng))


def stretched(value: Sound, rng: coview.Rng, *, rate: float = 1.0, semitones: float = 0.0) -> Sound:
    """The sound ``rate`` times as fast, its pitch moved by ``semitones``; it has at least one sample.

    Signalsmith Stretch is the fastest engine that passes the tests of quality: ``benchmarks/augment_audio.py`` has the
    others beside it.
    """
    engine = Stretch(rng.seed32())  # for large factors it draws phases at random
    engine.preset(1, value.rate)
    engine.setTimeFactor(rate)
    engine.setTransposeSemitones(semitones)
    samples_T = np.asarray(engine.process(np.ascontiguousarray(value.samples_T)[None]))[0]
    return value.with_samples(samples_T) if len(samples_T) else value
