"""Makes the sound louder or softer."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import check_range, from_db, happens
from coview_audio.sound import Sound


class Gain:
    """Makes the sound louder or softer by one factor. Nothing is clipped; silence stays silence.

    Args:
        gain_db: Smallest and largest gain in dB, between which it is drawn.
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        gain_db: tuple[Annotated[float, Ge(-100), Le(100)], Annotated[float, Ge(-100), Le(100)]] = (-12.0, 12.0),
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        check_range("gain_db", gain_db)
        self.gain_db, self.p = gain_db, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound at another level."""
        if not happens(self.p, rng):
            return value
        return value.with_samples(value.samples_T * np.float32(from_db(rng.numpy.uniform(*self.gain_db))))
