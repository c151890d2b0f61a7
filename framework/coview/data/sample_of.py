"""A sample of a data set in some of its modalities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from coview.data.dataset import Dataset, ReadsModalities
from coview.data.sample import Sample


def sample_of(dataset: Dataset, index: int, modalities: Collection[str]) -> Sample:
    """A sample with the values of some modalities alone, of those that it has.

    The others are not read where the data set is :class:`coview.ReadsModalities`.

    Args:
        dataset: The data set.
        index: The row of the sample.
        modalities: Which.

    Raises:
        SampleError: If they cannot be read.
    """
    if isinstance(dataset, ReadsModalities):
        return dataset.read_modalities(index, modalities)
    return only_modalities(dataset[index], modalities)


def only_modalities(sample: Sample, modalities: Collection[str]) -> Sample:
    """A sample without the values of all but some modalities."""
    return replace(sample, values={name: value for name, value in sample.values.items() if name in modalities})
