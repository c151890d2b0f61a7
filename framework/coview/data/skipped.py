"""Samples that could not be read: named, counted, and the run stopped where they are too many."""

from __future__ import annotations

from collections.abc import Iterable

from coview.data.batch import Skipped
from coview.errors import CoviewError

LIMIT = 0.01
"""The largest share of a split that may be unreadable."""


class SkippedSamples:
    """What was skipped in one split.

    Args:
        size: Samples in the split.
        split: Its name.
    """

    def __init__(self, size: int, split: str) -> None:
        self._size = size
        self._split = split
        self.samples: dict[int, Skipped] = {}

    def add(self, skipped: Iterable[Skipped]) -> list[Skipped]:
        """Notes skipped samples and returns those not met before.

        Raises:
            CoviewError: If more than 1 % of the split has been skipped, with the first few by name.
        """
        new = {sample.row: sample for sample in skipped if sample.row not in self.samples}
        self.samples |= new
        if len(self.samples) > LIMIT * self._size:
            named = [f"{sample.what}: {sample.reason}" for sample in list(self.samples.values())[:5]]
            more = len(self.samples) - len(named)
            raise CoviewError(
                f"{len(self.samples)} of the {self._size:,} {self._split} samples cannot be read, "
                f"more than {LIMIT:.0%}:\n    " + "\n    ".join(named) + (f"\n    and {more} more" if more else ""),
                hint="repair or remove them",
            )
        return list(new.values())
