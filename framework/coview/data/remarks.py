"""What an augmentation or a modality says of values that its settings do not suit: the contract, and the counting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class RemarksOn(Protocol):
    """An augmentation or a modality that says what its settings mean for a value, where a person would not expect it.

    A run asks of samples that lie evenly in the training split, before it trains, and says once how many it is so
    of, and where in the recipe it stands: of an augmentation where that is most of them, of a modality where it is more
    than a tenth.
    """

    def remark(self, value: Any, /) -> str:
        """What is to be known, such as ``are shorter than the excerpt of 0.96 s: …; set seconds to less``.

        It goes on from "99% of 128 samples", says what to set, and is the same text for all values that it is so of.
        Empty where there is nothing to say. ``value`` is what the part would be called with, and is left as it was.
        """
        ...


@dataclass
class Remarks:
    """How many values a part was asked about, and what it said of them.

    Attributes:
        asked: How many.
        said: By remark, of how many.
    """

    asked: int = 0
    said: Counter[str] = field(default_factory=Counter)

    def note(self, part: RemarksOn, value: Any) -> None:
        """Asks about one more value."""
        self.asked += 1
        if remark := part.remark(value):
            self.said[remark] += 1

    def sentences(self, where: str, beyond: float) -> list[str]:
        """What was said of more than a share of the values, each in a sentence that begins with where it stands."""
        return [
            f"{where}: {count / self.asked:.0%} of {self.asked:,} samples {remark}"
            for remark, count in self.said.items()
            if count > beyond * self.asked
        ]
