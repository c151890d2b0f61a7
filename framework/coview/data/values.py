"""The samples of a data set that can be read, and their values in one modality."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coview.data.dataset import Dataset
from coview.data.sample import Sample
from coview.data.sample_of import sample_of
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
    for index in range(len(those)):
        try:
            yield sample_of(those, index, (modality,))[modality]
        except SampleError:
            continue
