"""The samples of a data set that can be read, and their values in one modality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coview.data.dataset import Dataset, ReadsModalities
from coview.data.sample import Sample
from coview.data.several_values import every_value
from coview.errors import SampleError


def readable_samples(dataset: Dataset) -> Iterator[Sample]:
    """The samples in the order of the data, without those that cannot be read."""
    for index in range(len(dataset)):
        try:
            yield dataset[index]
        except SampleError:
            continue


def readable_values(dataset: Dataset, modality: str) -> Iterator[Any]:
    """The values in the order of the data, of the samples that have some and can be read; others are not read."""
    those = every_value(dataset, modality)
    # asked once, since a protocol takes longer to ask for than most samples take to read
    read = those.read_modalities if isinstance(those, ReadsModalities) else None
    for index in range(len(those)):
        try:
            yield (those[index] if read is None else read(index, (modality,)))[modality]
        except SampleError:
            continue
