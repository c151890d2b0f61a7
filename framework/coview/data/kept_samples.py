"""Samples as they were read, kept in memory within a bound: a file is decoded once and not in every epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coview.data.sample import Sample

_OVERHEAD = 1024
"""Bytes of a sample beside its values, such as its id and its dictionaries: an estimate."""

Key = tuple[int, tuple[tuple[str, int], ...]]


class KeptSamples:
    """What was read of a data set, in one process.

    Samples are kept in the order in which they are read until there is no more room. None is ever given up for another:
    an epoch reads each sample once in a random order, so that no choice finds more of them.

    A value is handed out as a copy. An augmentation that writes into what it is given changes nothing that is kept.

    Args:
        most_bytes: How much memory may be taken; 0: nothing is kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._kept: dict[Key, Sample] = {}

    def get(self, row: int, numbers: Mapping[str, int], read: Callable[[], Sample]) -> Sample:
        """A sample as it was read, or what reading it now gives.

        Args:
            row: Of the sample.
            numbers: Which of several values it has, by modality.
            read: Reads it.
        """
        if self._left <= 0 and not self._kept:
            return read()
        key = row, tuple(numbers.items())
        kept = self._kept.get(key)
        if kept is not None:
            return _copy_of(kept)
        sample = read()
        taken = _bytes_of(sample)
        if taken is not None and taken <= self._left:
            self._left -= taken
            self._kept[key] = _copy_of(sample)
        return sample


def _bytes_of(sample: Sample) -> int | None:
    """What a sample takes; None if that cannot be said, or if keeping it would save nothing.

    Nothing is saved where the values are texts alone, or parts of a larger array, such as the rows of a data set that
    is in memory: reading is indexing there.
    """
    taken, decoded = _OVERHEAD, False
    for value in (*sample.values.values(), *(of.value for of in sample.negatives.values())):
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            if isinstance(value.base, np.ndarray) and value.base.nbytes > 2 * value.nbytes:
                return None
            decoded = True
            taken += value.nbytes
        elif isinstance(value, Tensor) and value.device.type == "cpu" and value.layout == torch.strided:
            if value.untyped_storage().nbytes() > 2 * value.nbytes:
                return None
            decoded = True
            taken += value.nbytes
        elif isinstance(value, str | bytes):
            taken += sys.getsizeof(value)
        else:
            return None
    taken += sum(extra.nbytes for extra in sample.extras.values() if isinstance(extra, np.ndarray))
    return taken if decoded else None


def _copy_of(sample: Sample) -> Sample:
    return replace(
        sample,
        values={name: _copied(value) for name, value in sample.values.items()},
        negatives={name: replace(of, value=_copied(of.value)) for name, of in sample.negatives.items()},
    )


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.clone() if isinstance(value, Tensor) else value
