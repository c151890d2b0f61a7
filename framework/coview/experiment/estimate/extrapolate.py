"""What many samples cost, by what few samples have cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coview.experiment.estimate.work import Operation, Work


def work_at(size: int, sizes: Sequence[int], found: Sequence[Sequence[Operation]]) -> Work:
    """The work of a batch of a size, by that of as many smaller ones as its polynomial has coefficients.

    Two sizes give a line, as the layers of a network have it, and three a parabola, as similarities of pairs have it:
    for each operation by itself, since weights are read once, however many samples there are.

    Args:
        size: Of the batch.
        sizes: Of the smaller ones.
        found: The operations of each, in the order of their calls.
    """
    if len({len(operations) for operations in found}) > 1:  # what is called depends on the numbers
        largest, last = max(zip(sizes, found, strict=True), key=lambda pair: pair[0])
        return Work.of(last).times((size / largest) ** (len(sizes) - 1))
    shares = _shares(size, sizes)
    calls: list[Operation] = []
    for alike in zip(*found, strict=True):
        flops = round(sum(share * one.flops for share, one in zip(shares, alike, strict=True)))
        moved = round(sum(share * one.bytes for share, one in zip(shares, alike, strict=True)))
        calls.append(alike[0]._replace(flops=max(0, flops), bytes=max(0, moved)))
    return Work.of(calls)


def number_at(size: int, sizes: Sequence[int], found: Sequence[float]) -> float:
    """The same of a number, such as bytes."""
    return max(0.0, float(np.dot(_shares(size, sizes), found)))


def most_at(size: int, sizes: Sequence[int], lives: Sequence[Sequence[int]]) -> float:
    """The most bytes at once, by what was held after each operation: of few samples most are held at another place."""
    if len({len(of_size) for of_size in lives}) > 1:
        return number_at(size, sizes, [max(of_size) for of_size in lives])
    return max(number_at(size, sizes, alike) for alike in zip(*lives, strict=True))


def _shares(size: int, sizes: Sequence[int]) -> list[float]:
    """Lagrange's: what each of the smaller sizes counts for."""
    return [
        float(np.prod([(size - other) / (own - other) for other in sizes if other != own] or [1.0])) for own in sizes
    ]
