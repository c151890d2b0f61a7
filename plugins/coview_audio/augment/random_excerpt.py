"""Takes an excerpt at a random place."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

import coview
from coview_audio.augment.ranges import happens
from coview_audio.sound import Sound


class RandomExcerpt:
    """Takes an excerpt of one length at a random place; a shorter sound is put at a random place in silence.

    Args:
        seconds: Length of the excerpt. COLA (arXiv:2010.10915) takes 0.96, BYOL-A (arXiv:2103.06695) 0.95.
        pad: Whether a shorter sound is filled up with silence; else it stays as it is.
        p: Probability of being applied. Below 1 views have several lengths, which ``mixup`` does not take.
    """

    def __init__(
        self,
        *,
        seconds: Annotated[float, Gt(0), Le(3600)] = 0.96,
        pad: bool = True,
        p: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        self.seconds = seconds
        self.pad, self.p = pad, p

    def __call__(self, value: Sound, rng: coview.Rng, /) -> Sound:
        """The excerpt."""
        if not happens(self.p, rng):
            return value
        length = max(1, round(self.seconds * value.rate))
        spare = len(value) - length
        if spare >= 0:
            start = int(rng.numpy.integers(spare + 1))
            return value.with_samples(value.samples_T[start : start + length].copy())
        if not self.pad:
            return value
        samples_T = np.zeros(length, dtype=np.float32)
        start = int(rng.numpy.integers(-spare + 1))
        samples_T[start : start + len(value)] = value.samples_T
        return value.with_samples(samples_T)

    def remark(self, value: Sound, /) -> str:
        """That a sound is shorter than the excerpt, where all of its views are then the whole of it."""
        if len(value) >= max(1, round(self.seconds * value.rate)) or self.p < 1 or not self.pad:
            return ""
        return (
            f"are shorter than the excerpt of {self.seconds:g} s: the views of each are then one sound, laid at "
            "several places in silence. Set seconds to less than they last, which coview data show tells"
        )
