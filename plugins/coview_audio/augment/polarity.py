"""Turns the wave upside down."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import happens
from coview_audio.sound import Sound


class Polarity:
    """Changes the sign of every sample, which nobody hears and a network on waveforms has to learn to ignore.

    Args:
        p: Probability of being applied.
    """

    def __init__(self, *, p: Annotated[float, Ge(0), Le(1)] = 0.5) -> None:
        self.p = p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound or its negative."""
        return value.with_samples(-value.samples_T) if happens(self.p, rng) else value
