"""Randomness for a batch at once, on its device: each row a pure function of (seed, epoch, sample, view, position).

Rows draw from Philox (:mod:`coview.data.philox`). What a row draws depends neither on the other rows of the batch nor
on their order: not on the number of ranks, nor on where a run was resumed. What is drawn once for a whole batch has the
batch's number in its epoch in place of the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from coview.data.philox import LOW, philox
from coview.data.rng import Rng

_STREAM_OF_SAMPLES, _STREAM_OF_BATCHES = 2**64 - 2, 2**64 - 3
"""In place of a sample id, which is below 2**63, in the key of the generator that makes a view's key: for rows of
samples, and of batches."""

WORDS = 4
"""Of a block, which is what Philox draws at a time."""


class Part(NamedTuple):
    """Some of what a step draws.

    Attributes:
        position: Of the step.
        first, end: Its first block, and the one after the last.
        drawn_as: The view whose numbers the rows of all views draw; None: each its own.
    """

    position: int
    first: int
    end: int
    drawn_as: int | None = None


class Drawn(NamedTuple):
    """What a step draws first, where that has been computed.

    Attributes:
        by_row: Of each row, ``(rows, 4 · blocks)``.
        by_view: Of each view at once, ``(views, 4 · blocks)``.
    """

    by_row: Tensor | None = None
    by_view: Tensor | None = None


class BatchRng:
    """The only source of randomness of an augmentation that works on batches.

    A call moves on to fresh numbers; the same calls in the same order draw the same.

    Attributes:
        blocks: How many blocks of four numbers each row has drawn.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        ids_N: The samples of the batch, int64, on its device.
        views: The views that lie below each other in the batch, by number: ``len(views) · N`` rows.
        position: Of the step in its pipeline.
        number: The number of the batch in its epoch, ``(1,)`` int64 on its device; absent: 0. Only :meth:`of_view`
            depends on it.
        drawn_as: The view whose numbers the rows of all views draw; absent: each its own.
        ahead: What has been computed of its draws.
        no_more: Whether to draw nothing but that.
        of_batches: Whether the ids are numbers of batches, and not samples.
    """

    def __init__(
        self,
        seed: int,
        epoch: int,
        ids_N: Tensor,
        views: Sequence[int],
        position: int,
        *,
        number: Tensor | None = None,
        drawn_as: int | None = None,
        ahead: Drawn | None = None,
        no_more: bool = False,
        of_batches: bool = False,
    ) -> None:
        self._of = seed, epoch, ids_N, tuple(views), position
        self._number, self._drawn_as, self._of_batches = number, drawn_as, of_batches
        self._ahead, self._no_more = ahead or Drawn(), no_more
        self._of_view: BatchRng | None = None
        self.blocks = 0

    def of_view(self) -> BatchRng:
        """The generator of what is drawn once for a whole batch, with one row for each view.

        The row is a function of (seed, epoch, batch, view, position): ``rng.of_view().uniform(k)`` is
        ``(len(views), k)``, in the order of the views in the batch. The batch is its number in the epoch: every rank
        draws the same, whichever samples it has, and so does a run that goes on. In this generator the ids are that
        number. Asked again, it is the same generator, and goes on to fresh numbers.
        """
        if self._of_batches:
            return self
        if self._of_view is None:
            seed, epoch, ids_N, views, position = self._of
            self._of_view = BatchRng(
                seed,
                epoch,
                ids_N.new_zeros(1) if self._number is None else self._number,
                views,
                position,
                drawn_as=self._drawn_as,
                ahead=Drawn(self._ahead.by_view),
                no_more=self._no_more,
                of_batches=True,
            )
        return self._of_view

    @property
    def view_blocks(self) -> int:
        """How many blocks of four numbers were drawn once for each view."""
        return 0 if self._of_view is None else self._of_view.blocks

    @property
    def ids(self) -> Tensor:
        """``(rows,)`` int64, the sample of each row."""
        _, _, ids_N, views, _ = self._of
        return ids_N.repeat(len(views))

    @property
    def views(self) -> Tensor:
        """``(rows,)`` int64, the view that each row is of."""
        _, _, ids_N, views, _ = self._of
        return torch.cat([torch.full_like(ids_N, view) for view in views])

    @property
    def rows(self) -> int:
        """How many rows the batch has."""
        _, _, ids_N, views, _ = self._of
        return len(views) * len(ids_N)

    @property
    def device(self) -> torch.device:
        """The batch's."""
        return self._of[2].device

    def uniform(self, k: int = 1, low: float = 0.0, high: float = 1.0) -> Tensor:
        """``(rows, k)`` numbers from ``low`` to ``high``, the latter excluded: float32, of 24 bits each."""
        unit = self._unit(k)
        return unit.contiguous() if (low, high) == (0, 1) else unit * (high - low) + low

    def normal(self, k: int = 1) -> Tensor:
        """``(rows, k)`` standard normal numbers, float32 (Box and Muller's transform)."""
        pairs = -(-k // 2)
        first, second = self._unit(2 * pairs).split(pairs, dim=1)
        radius = torch.sqrt(-2 * torch.log(first + 2.0**-24))  # never the logarithm of zero
        angle = 2 * torch.pi * second
        return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :k]

    def chance(self, p: float) -> Tensor:
        """``(rows,)`` bool, true with probability ``p``."""
        return self._unit(1)[:, 0] < p

    def _unit(self, k: int) -> Tensor:
        """``(rows, k)`` from 0 to 1, the latter excluded."""
        first = self.blocks
        self.blocks += -(-k // WORDS)
        ahead = self._ahead.by_row
        if ahead is not None and self.blocks * WORDS <= ahead.shape[1]:
            return ahead[:, first * WORDS :][:, :k]
        if self._no_more:
            raise RuntimeError("an augmentation that is replayable draws as much for every batch of one shape")
        seed, epoch, ids_N, views, position = self._of
        part = Part(position, first, self.blocks, self._drawn_as)
        return draw(seed, epoch, ids_N, views, (part,), self._of_batches)[:, :k]


def draw(
    seed: int, epoch: int, ids_N: Tensor, views: tuple[int, ...], parts: tuple[Part, ...], of_batches: bool = False
) -> Tensor:
    """``(len(views) · N, 4 · blocks)`` numbers from 0 to 1, the latter excluded, for some blocks of some positions.

    Args:
        seed, epoch, ids_N, views: As of :class:`BatchRng`.
        parts: The runs of blocks.
        of_batches: Whether the ids are numbers of batches, and not samples.
    """
    block_T, key_V1T, mix_V1T = _counters_and_keys(seed, epoch, views, parts, of_batches, ids_N.device)
    low_N1, high_N1 = (ids_N & LOW)[:, None], (ids_N >> 32)[:, None]
    words_VNTW = philox((block_T, torch.zeros_like(block_T), low_N1, high_N1), (key_V1T, mix_V1T))
    # the upper 24 bits are all that a float32 holds
    return (words_VNTW >> 8).to(torch.float32).mul_(2.0**-24).flatten(2).flatten(0, 1)


@lru_cache(maxsize=64)
def _counters_and_keys(
    seed: int, epoch: int, views: tuple[int, ...], parts: tuple[Part, ...], of_batches: bool, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """The blocks' numbers and their keys' two words."""
    at = [(part, block) for part in parts for block in range(part.first, part.end)]
    keys = [
        [
            _key(seed, epoch, view if part.drawn_as is None else part.drawn_as, part.position, of_batches)
            for part, _ in at
        ]
        for view in views
    ]
    words = [[[key & LOW for key in row] for row in keys], [[key >> 32 for key in row] for row in keys]]
    low_V1T, high_V1T = _bring(torch.tensor(words, dtype=torch.int64)[:, :, None], device)
    return _bring(torch.tensor([block for _, block in at]), device), low_V1T, high_V1T


def _bring(tensor: Tensor, device: torch.device) -> Tensor:
    """To the device, without waiting for what a GPU is doing."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@lru_cache(maxsize=64)
def _key(seed: int, epoch: int, view: int, position: int, of_batches: bool) -> int:
    """64 bits for Philox."""
    stream = _STREAM_OF_BATCHES if of_batches else _STREAM_OF_SAMPLES
    return int(Rng(seed, epoch, stream, view, position).numpy.bit_generator.random_raw())
