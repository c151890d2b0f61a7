"""Moves the sound in time."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import happens
from coview_audio.sound import Sound


class Shift:
    """Moves the sound earlier or later within its length.

    Args:
        fraction: The most it moves, as a share of its length, in either direction.
        fill: What fills the free end: "silence", or what went out at the other ("wrap").
        p: Probability of being applied.
    """

    def __init__(
        self,
        *,
        fraction: Annotated[float, Ge(0), Le(1)] = 0.25,
        fill: Literal["silence", "wrap"] = "silence",
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        self.fraction, self.fill, self.p = fraction, fill, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The sound, moved by a whole number of samples."""
        if not happens(self.p, rng):
            return value
        most = int(self.fraction * len(value))
        by = int(rng.numpy.integers(-most, most + 1))
        samples_T = np.roll(value.samples_T, by)
        if self.fill == "silence":
            if by >= 0:
                samples_T[:by] = 0
            else:
                samples_T[by:] = 0
        return value.with_samples(samples_T)
