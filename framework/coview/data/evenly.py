"""A few places that lie evenly among many: what is looked at where all would take too long."""

from __future__ import annotations

import numpy as np

from coview.data.dataset import Dataset, StreamsShards


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the places from 0 to below ``count``, the first and the last among them; none of none."""
    return np.unique(np.linspace(0, count - 1, most).astype(int)).tolist() if count else []


def rows_to_look_at(dataset: Dataset, most: int) -> list[int]:
    """At most so many rows that lie evenly in a split; of one that is streamed in its first shard, as each shard that
    is touched has to be fetched."""
    rows = next(filter(None, dataset.shard_sizes), 0) if isinstance(dataset, StreamsShards) else len(dataset)
    return evenly(rows, min(most, rows))
