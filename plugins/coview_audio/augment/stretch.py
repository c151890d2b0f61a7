"""Signalsmith Stretch, which changes tempo and pitch apart: the fastest engine that passes the tests of quality.

``benchmarks/augment_audio.py`` has the others beside it.
"""

from __future__ import annotations

import numpy as np
from python_stretch.Signalsmith import Stretch

import coview
from coview_audio.sound import Sound


def stretched(value: Sound, rng: coview.Rng, *, rate: float = 1.0, semitones: float = 0.0) -> Sound:
    """The sound ``rate`` times as fast, its pitch moved by ``semitones``.

    It has at least one sample.
    """
    engine = Stretch(rng.seed32())  # for large factors it draws phases at random
    engine.preset(1, value.rate)
    engine.setTimeFactor(rate)
    engine.setTransposeSemitones(semitones)
    samples_T = np.asarray(engine.process(np.ascontiguousarray(value.samples_T)[None]))[0]
    return value.with_samples(samples_T) if len(samples_T) else value
