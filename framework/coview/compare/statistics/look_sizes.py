"""When a comparison that runs until it is decided looks at its numbers: after 3, 5, 8, 12, 18, … seeds."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_LOOK = 3


def look_sizes(seeds: int) -> Iterator[int]:
    """How many seeds there are at each look, of so many at most, each half as many again as at the one before."""
    size = FIRST_LOOK
    while size <= seeds:
        yield size
        size += -(-size // 2)
