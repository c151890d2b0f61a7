"""Some rows of a split of a data set, read twice, and what checks make of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coview.data.dataset import Dataset
from coview.data.evenly import rows_to_look_at
from coview.data.sample import Sample
from coview.errors import SampleError

ROWS = 8
"""How many rows of a split a run reads to check it."""

SECONDS = 2.0
"""When it stops reading more of them."""

Problems = Iterator[str]


@dataclass(frozen=True)
class SplitUnderTest:
    """A split, and some of its rows, read twice.

    Attributes:
        dataset: The split.
        rows: Those that were read, without those that raise a :class:`coview.SampleError`.
        first: What each gave.
        second: What each gave later, the last row first.
    """

    dataset: Dataset
    rows: Sequence[int]
    first: Sequence[Any]
    second: Sequence[Any]

    @classmethod
    def read(cls, dataset: Dataset, rows: int = ROWS, seconds: float = SECONDS) -> SplitUnderTest:
        """Reads rows that lie evenly in the split; fewer where they take long, but one at least."""
        found: dict[int, list[Any]] = {}
        until = time.monotonic() + seconds / 2
        for row in rows_to_look_at(dataset, rows):
            if found and time.monotonic() > until:
                break
            try:
                found[row] = [dataset[row]]
            except SampleError:  # which the loader skips, names and counts
                continue
        for row in reversed(list(found)):
            try:
                found[row].append(dataset[row])
            except SampleError:
                del found[row]
        first, second = zip(*found.values(), strict=True) if found else ((), ())
        return cls(dataset, tuple(found), first, second)

    def samples(self) -> Iterator[tuple[int, Sample]]:
        """The rows that are samples at all, as they were read first."""
        return ((row, one) for row, one in zip(self.rows, self.first, strict=True) if isinstance(one, Sample))

    def twice(self) -> Iterator[tuple[int, Sample, Sample]]:
        """The same with what was read later."""
        for row, one, other in zip(self.rows, self.first, self.second, strict=True):
            if isinstance(one, Sample) and isinstance(other, Sample):
                yield row, one, other


def first_of(problems: Problems) -> Problems:
    """The problem of the first row that has one, and how many more rows have one."""
    found = list(problems)
    if found:
        more = len(found) - 1
        yield found[0] + (f" (and {more} more row{'s' * (more > 1)} likewise)" if more else "")


def of_each(tested: SplitUnderTest, problem_of: Callable[[Sample], str]) -> Problems:
    """What a function says of the samples, as of :func:`first_of`.

    Args:
        tested: The split.
        problem_of: What is wrong with a sample; empty if nothing is.
    """
    found = ((row, problem_of(sample)) for row, sample in tested.samples())
    yield from first_of(f"row {row}: {problem}" for row, problem in found if problem)
