"""What a comparison says of two variants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

ALPHA = 0.05
POWER = 0.8

Answer = Literal["better", "worse", "the same within the margin", "undecided"]


@dataclass(frozen=True)
class Pair:
    """Two variants of a modality.

    Attributes:
        first, second: Which.
        seeds: How many have both.
        difference: Of the first less the second; NaN where there is none.
        sd: Of the differences over the seeds that have both; NaN for fewer than two.
        low, high: The 95 % interval of the difference: by the model, of all pairs together; else of this pair alone.
        p: Of this pair alone; NaN where it cannot be tested.
        p_all: The same over all pairs that the modality is tested for together.
    """

    first: str
    second: str
    seeds: int
    difference: float
    sd: float
    low: float
    high: float
    p: float
    p_all: float = math.nan

    @property
    def differs(self) -> bool:
        """Whether it is told apart at the level of 0.05, over all pairs together."""
        return self.p_all < ALPHA

    def answer(self, sign: int, margin: float = 0.0) -> Answer:
        """What is known of the first against the second.

        Args:
            sign: 1 where a higher number is better, else -1.
            margin: Differences that do not matter: an interval that lies within is the same, be it beside 0 or not.
        """
        if margin and math.isfinite(self.low) and -margin <= self.low and self.high <= margin:
            return "the same within the margin"
        if not self.differs:
            return "undecided"
        return "better" if sign * self.difference > 0 else "worse"


@dataclass(frozen=True)
class Detectable:
    """True differences that a test finds in four of five comparisons of this kind.

    Attributes:
        pairs: How many pairs are tested together.
        first, last: By the model: of the two variants that spread least, and of those that spread most. By paired
            tests: at 0.05 / pairs, which Holm's correction holds the smallest p to, and at 0.05, once all others are
            told apart.
    """

    pairs: int
    first: float
    last: float

    @property
    def level(self) -> float:
        """The level of Holm's first."""
        return ALPHA / self.pairs


@dataclass(frozen=True)
class Tested:
    """The pairs of a modality.

    Attributes:
        pairs: The better one first; with a baseline, that one second.
        detectable: None where nothing can be tested.
        notes: What was done where the numbers are not what a test supposes.
    """

    pairs: list[Pair]
    detectable: Detectable | None
    notes: list[str]
