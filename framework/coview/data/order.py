"""Which samples are in which batch: a pure function of (seed, epoch), the same for any number of ranks and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler

from coview.data.rng import Rng

_ORDER = 2**64 - 1
"""In place of a sample id, which is below 2**63, in the key of the generator that shuffles."""


def order_rng(seed: int, epoch: int, part: int = 0) -> Rng:
    """What the order of an epoch is drawn from; or with a number above 0 which samples of a part of the data it has."""
    return Rng(seed, epoch=epoch, sample=_ORDER, view=part)


@dataclass(frozen=True)
class Order:
    """The order of a training run. The last, incomplete batch of an epoch is left out.

    Attributes:
        samples: How many there are in an epoch.
        batch_size: Over all ranks.
        seed: The run's.
        batches: What makes the batches of an epoch, one in each row, of its number and the generator; absent: all
            samples, shuffled.
    """

    samples: int
    batch_size: int
    seed: int
    batches: Callable[[int, Rng], np.ndarray] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Complete batches in an epoch."""
        return self.samples // self.batch_size

    def epoch(self, epoch: int) -> np.ndarray:
        """The samples of an epoch, batch after batch."""
        rng = order_rng(self.seed, epoch)
        return rng.numpy.permutation(self.samples) if self.batches is None else self.batches(epoch, rng).ravel()

    def walk(self) -> Callable[[int, int], np.ndarray]:
        """What gives the samples of a batch, by the epoch and the batch's number in it. It keeps the last epoch."""
        epoch_of = lru_cache(maxsize=1)(self.epoch)
        size = self.batch_size
        return lambda epoch, batch: epoch_of(epoch)[batch * size : (batch + 1) * size]

    def shards_from(self, epoch: int, batch: int, share: slice) -> list[int]:
        """The shards that a share of a batch needs, the most urgent ones first; none where the data has no shards."""
        return []


class RankBatches(Sampler[list[tuple[int, int, int]]]):
    """One rank's share of the batches ``start … stop`` as lists of (epoch, number in the epoch, sample index).

    The batches go on across epochs, so that workers neither stop nor start between them.

    Args:
        order: The order of the run.
        start, stop: Batch numbers, counted from the beginning of the run.
        rank, ranks: This process, of how many; each takes an equal, contiguous share of every batch.
    """

    def __init__(self, order: Order, start: int, stop: int, rank: int = 0, ranks: int = 1) -> None:
        self._order = order
        self._start = start
        self._stop = stop
        share = order.batch_size // ranks
        self._share = slice(rank * share, (rank + 1) * share)

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        rows_of = self._order.walk()
        for number in range(self._start, self._stop):
            epoch, batch = divmod(number, self._order.batches_per_epoch)
            yield [(epoch, batch, int(row)) for row in rows_of(epoch, batch)[self._share]]

    def shards_from(self, epoch: int, batch: int) -> list[int]:
        """The shards that this rank's share of a batch needs, the most urgent ones first."""
        return self._order.shards_from(epoch, batch, self._share)
