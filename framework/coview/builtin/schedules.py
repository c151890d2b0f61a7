"""Schedules of the learning rate: what it is multiplied by after the warm-up."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from coview.plugins.duration import TrainingLength
from coview.train.schedule import Moment

Share = Annotated[float, Ge(0), Le(1)]


class Constant:
    """The peak, to the end."""

    def __call__(self, moment: Moment, /) -> float:
        """1."""
        return 1.0


class Cosine:
    """Half of a cosine from the peak to ``end`` (arXiv:1608.03983, without restarts).

    Args:
        end: What it falls to at the end of the run, as a share of the peak.
    """

    def __init__(self, *, end: Share = 0.0) -> None:
        self.end = end

    def __call__(self, moment: Moment, /) -> float:
        """From 1 to ``end``."""
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + math.cos(math.pi * moment.done))


class Linear:
    """A line from the peak to ``end``.

    Args:
        end: What it falls to at the end of the run, as a share of the peak.
    """

    def __init__(self, *, end: Share = 0.0) -> None:
        self.end = end

    def __call__(self, moment: Moment, /) -> float:
        """From 1 to ``end``."""
        return 1.0 - (1.0 - self.end) * moment.done


class Step:
    """Multiplied by ``factor`` at each of some moments.

    Args:
        at: The moments, counted from the start of the run: steps, or such as ["120 epochs", "160 epochs"].
        factor: What the rate is multiplied by at each.
    """

    def __init__(
        self,
        *,
        at: Annotated[tuple[TrainingLength, ...], MinLen(1)],
        factor: Annotated[float, Gt(0), Le(1)] = 0.1,
    ) -> None:
        self.at, self.factor = at, factor

    def __call__(self, moment: Moment, /) -> float:
        """A power of ``factor``."""
        return float(self.factor ** sum(moment.reached(after) for after in self.at))


class WarmupStableDecay:
    """The peak, and a fall over the last part of the run (arXiv:2404.06395, section 4).

    Args:
        decay: The share of the whole run over which the rate falls, at its end.
        shape: How it falls.
        end: What it falls to at the end of the run, as a share of the peak.
    """

    def __init__(
        self,
        *,
        decay: Annotated[float, Gt(0), Le(1)] = 0.1,
        shape: Literal["linear", "cosine", "sqrt"] = "linear",
        end: Share = 0.0,
    ) -> None:
        self.decay, self.shape, self.end = decay, shape, end

    def __call__(self, moment: Moment, /) -> float:
        """From 1 to ``end``."""
        steps = max(1, round(self.decay * moment.total_steps))
        fallen = max(0, moment.step - (moment.total_steps - steps)) / steps
        left: dict[str, float] = {
            "linear": 1.0 - fallen,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * fallen)),
            "sqrt": 1.0 - fallen**0.5,
        }
        return self.end + (1.0 - self.end) * left[self.shape]
