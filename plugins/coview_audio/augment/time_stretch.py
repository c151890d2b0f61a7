"""Makes the sound faster or slower at the same pitch."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

import coview
from coview_audio.augment.ranges import check_range, happens, log_uniform
from coview_audio.augment.stretch import stretched
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
