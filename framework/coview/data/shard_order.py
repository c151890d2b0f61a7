"""The order of samples that lie in shards and are reached shard by shard: a pure function of (seed, epoch).

A full shuffle needs every shard for every batch. This order needs a few at a time, and is as exact:

1. The shards of an epoch stand in a row, shuffled, and the rows of each shard are shuffled.
2. The row is cut into lanes of equal work: one for each shard that is open at a time. A cut may go through a shard.
3. Every batch takes the next rows of every lane, always at the same places of the batch.

So each row comes once in an epoch, what is at a place of a batch is found without what was before it, and ranks that
share a batch in contiguous parts read lanes of their own. Nothing in it depends on ranks or workers. MosaicML's
StreamingDataset has lanes too, as "canonical nodes".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from coview.data.order import Order, order_rng


@dataclass(frozen=True)
class ShardOrder(Order):
    """An order of which every batch has rows of a few shards.

    Attributes:
        sizes: How many rows each shard has. The rows of the data are those of the first shard, then the next one's.
        at_once: How many shards a batch has rows of, at most; fewer where a batch or the data has fewer.
    """

    sizes: tuple[int, ...] = ()
    at_once: int = 1

    @property
    def lanes(self) -> int:
        """How many shards are read at a time."""
        return min(self.at_once, self.batch_size, len(self.sizes))

    def walk(self) -> Callable[[int, int], np.ndarray]:
        """What gives the rows of a batch. It keeps the rows of the shards that it has shuffled last."""
        rows_of = lru_cache(maxsize=2 * self.lanes + 2)(self._rows_of)
        return lambda epoch, batch: np.concatenate(
            [rows_of(epoch, shard)[part] for lane in range(self.lanes) for shard, part in self._of(epoch, batch, lane)]
        )

    def epoch(self, epoch: int) -> np.ndarray:
        """The rows of an epoch, batch after batch."""
        rows_of_batch = self.walk()
        return np.concatenate([rows_of_batch(epoch, batch) for batch in range(self.batches_per_epoch)])

    def shards_from(self, epoch: int, batch: int, share: slice) -> list[int]:
        """The shards that a share of a batch has rows of, then those that come next in their lanes.

        Args:
            epoch: The epoch.
            batch: Its number in the epoch.
            share: The places in the batch.
        """
        now: list[int] = []
        after: list[int] = []
        for lane in range(self.lanes):
            first, stop = self._places(lane)
            if first >= share.stop or stop <= share.start:
                continue
            shards = [shard for shard, _ in self._of(epoch, batch, lane)]
            now += shards
            after.append(self._next(epoch, lane, shards[-1]))
        return list(dict.fromkeys(now + after))

    def _places(self, lane: int) -> tuple[int, int]:
        """Which places of every batch are a lane's."""
        return lane * self.batch_size // self.lanes, (lane + 1) * self.batch_size // self.lanes

    def _segment(self, lane: int) -> tuple[int, int]:
        """Which places of the whole row of an epoch are a lane's."""
        first, stop = self._places(lane)
        return first * self.batches_per_epoch, stop * self.batches_per_epoch

    def _of(self, epoch: int, batch: int, lane: int) -> Iterator[tuple[int, slice]]:
        """The shards that a lane's places of a batch have rows of, with which of their shuffled rows."""
        first, stop = self._places(lane)
        begin = self._segment(lane)[0] + batch * (stop - first)
        end = begin + stop - first
        shards, ends = self._row(epoch)
        at = int(np.searchsorted(ends, begin, side="right"))
        while begin < end:
            start = int(ends[at]) - self.sizes[shards[at]]
            upto = min(end, int(ends[at]))
            if upto > begin:
                yield int(shards[at]), slice(begin - start, upto - start)
            begin, at = upto, at + 1

    def _next(self, epoch: int, lane: int, shard: int) -> int:
        """The shard that a lane reads after another one: in the next epoch, where that is its last."""
        shards, ends = self._row(epoch)
        at = int(np.flatnonzero(shards == shard)[0]) + 1
        if at < len(shards) and int(ends[at - 1]) < self._segment(lane)[1]:
            return int(shards[at])
        return next(self._of(epoch + 1, 0, lane))[0]

    def _row(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The shards of an epoch in their order, and where each ends among all places."""
        if epoch not in self._known:
            shards = order_rng(self.seed, epoch).numpy.permutation(len(self.sizes))
            for old in list(self._known)[:-1]:
                del self._known[old]
            self._known[epoch] = shards, np.cumsum(np.asarray(self.sizes, dtype=np.int64)[shards])
        return self._known[epoch]

    @cached_property
    def _known(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """The rows of the last two epochs that were asked for."""
        return {}

    @cached_property
    def _starts(self) -> np.ndarray:
        """The first row of each shard."""
        return np.cumsum([0, *self.sizes[:-1]])

    def _rows_of(self, epoch: int, shard: int) -> np.ndarray:
        shuffled: np.ndarray = order_rng(self.seed, epoch, part=shard + 1).numpy.permutation(self.sizes[shard])
        return int(self._starts[shard]) + shuffled
