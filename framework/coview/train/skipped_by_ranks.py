"""What of a batch could not be read, which all ranks have to know: none can take a step without the others."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
import torch.distributed as dist

from coview.data.batch import Batch, Skipped
from coview.model.collectives import host_group


class SkippedByRanks:
    """What the ranks tell each other of each batch. All of them make one at the same place, and call it alike."""

    def __init__(self) -> None:
        self._group = host_group()

    def __call__(self, batch: Batch) -> tuple[tuple[Skipped, ...], bool]:
        """The samples of the batch that some rank could not read, and whether each rank has others. The same on all.

        Args:
            batch: This rank's.
        """
        if self._group is None:
            return batch.skipped, len(batch) > 0
        most = torch.tensor([-len(batch), len(batch.skipped)])
        dist.all_reduce(most, op=dist.ReduceOp.MAX, group=self._group)
        fewest_samples, most_skipped = -int(most[0]), int(most[1])
        if not most_skipped:
            return (), fewest_samples > 0
        of_ranks: list[Any] = [()] * dist.get_world_size()
        dist.all_gather_object(of_ranks, batch.skipped, group=self._group)
        return tuple(chain.from_iterable(of_ranks)), fewest_samples > 0
