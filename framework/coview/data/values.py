"""The values of a data set in one modality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coview.data.contracts import Dataset
from coview.errors import SampleError


def readable_values(dataset: Dataset, modality: str) -> Iterator[Any]:
    """The values in the order of the data, without those that cannot be read."""
    for index in range(len(dataset)):
        try:
            yield dataset[index][modality]
        except SampleError:
            continue
