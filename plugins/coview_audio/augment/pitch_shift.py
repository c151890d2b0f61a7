"""Makes the sound higher or lower at the same tempo."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import check_range, happens
from coview_audio.augment.time_stretch import stretched
from coview_audio.sound import Sound

_Semitones = Annotated[float, Ge(-24), Le(24)]


class PitchShift:
    """Makes the sound higher or lower at the same tempo and length.

    Args:
        semitones: Smallest and largest shift, 12 being an octave up.
        p: Probability of being applied.
    """

    def __init__(
        self, *, semitones: tuple[_Semitones, _Semitones] = (-4.0, 4.0), p: Annotated[float, Ge(0), Le(1)] = 1.0
    ) -> None:
        check_range("semitones", semitones)
        self.semitones, self.p = semitones, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound at another pitch."""
        if not happens(self.p, rng):
            return value
        return stretched(value, rng, semitones=float(rng.numpy.uniform(*self.semitones)))
