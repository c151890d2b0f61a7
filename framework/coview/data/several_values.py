"""Samples of which some have several values of a modality: which of them an epoch is of, and each of them as a row.

Which value an epoch is of is a pure function of (seed, epoch, sample): the same for any number of workers and ranks,
after a resume, and whatever other modalities a recipe is of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from coview.data.dataset import Dataset, HasContext, HasSeveralValues, KnowsIds, KnowsLabels
from coview.data.ids import check_ids
from coview.data.kept_samples import KeptSamples
from coview.data.present import having
from coview.data.rng import Rng
from coview.data.sample import Sample, id_as_int64
from coview.data.sample_of import only_modalities, sample_of
from coview.recipe.needs import NEGATIVE

_DRAW = 2**32
"""In place of the number of a view in the key of the generator that draws a value: views are far fewer."""


def value_counts_of(dataset: Dataset) -> Mapping[str, np.ndarray]:
    """Of each modality that some sample has several values of, ``(N,)`` int64: how many each row has."""
    known = dataset.value_counts if isinstance(dataset, HasSeveralValues) else None
    counts = {name: np.asarray(of_row, dtype=np.int64) for name, of_row in (known or {}).items()}
    return {name: count_N for name, count_N in counts.items() if len(count_N) and count_N.max() > 1}


def with_values(
    dataset: Dataset, row: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None
) -> Sample:
    """A sample with one of its values of some modalities, and the first of every other one.

    Args:
        dataset: The data set.
        row: Of the sample.
        numbers: Which value, from 0.
        modalities: Those whose values are there; absent: all that the sample has.
    """
    if any(numbers.values()) and isinstance(dataset, HasSeveralValues):
        sample = dataset.with_values(row, numbers, modalities)
        return sample if modalities is None else only_modalities(sample, modalities)
    return dataset[row] if modalities is None else sample_of(dataset, row, modalities)


class DrawnValues:
    """The samples of an epoch of training: of several values of a modality each sample has one, drawn for the epoch.

    Args:
        dataset: The samples.
        seed: The run's.
        kept: Those that were read before; absent: none.
    """

    def __init__(self, dataset: Dataset, seed: int, kept: KeptSamples | None = None) -> None:
        self._dataset, self._seed = dataset, seed
        self._kept = kept or KeptSamples(0)
        self._counts = value_counts_of(dataset)
        # by their places among all modalities, so that those of one do not depend on whether another has several
        names = (*sorted(dataset.modalities), NEGATIVE) if self._counts else ()
        self._places = {name: place for place, name in enumerate(names)}
        self._ids: Sequence[int | str] | None = None
        if self._counts and isinstance(dataset, KnowsIds):
            self._ids = dataset.ids

    def __call__(self, row: int, epoch: int, rng: Rng, modalities: Collection[str] | None = None) -> Sample:
        """A sample.

        Args:
            row: Its number.
            epoch: Counted from 0.
            rng: Where it stands does not matter; it is moved.
            modalities: Those whose values are there, the same in every call; absent: all that it has.
        """
        numbers = self.numbers(row, epoch, rng) if self._counts else {}
        return self._kept.get(row, numbers, lambda: with_values(self._dataset, row, numbers, modalities))

    def numbers(self, row: int, epoch: int, rng: Rng) -> dict[str, int]:
        """Which value of each modality, or which hard negative, of several that the sample has, from 0."""
        key = row if self._ids is None else id_as_int64(self._ids[row])
        found = {}
        for name, count_N in self._counts.items():
            if (count := int(count_N[row])) > 1:
                drawn = rng.seek(self._seed, epoch, key, _DRAW, self._places[name]).numpy.integers(count)
                found[name] = int(drawn)
        return found


class EveryValue:
    """Every value of a modality as a row of its own: samples of one modality, with the ids that they are the values of.

    Rows of one sample are never on both sides of a split, and are no independent items: a sample without a group has
    its id as one.

    Args:
        dataset: The samples, each with at least one value of the modality.
        modality: Which.

    Attributes:
        rows_N: Of each row, the number of its sample in the data set.
    """

    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dataset: Dataset, modality: str) -> None:
        counts_N = value_counts_of(dataset)[modality]
        self._dataset, self._modality = dataset, modality
        self.rows_N = np.repeat(np.arange(len(counts_N)), counts_N)
        firsts_N = np.cumsum(counts_N) - counts_N
        self._numbers_N = np.arange(len(self.rows_N)) - firsts_N[self.rows_N]
        self.modalities: tuple[str, ...] = (modality,)
        self.classes, self.version = dataset.classes, dataset.version
        self.citation, self.licence = dataset.citation, dataset.licence
        if isinstance(dataset, KnowsLabels):
            labels = dataset.labels
            self.labels = None if labels is None else np.asarray(labels, dtype=np.int64)[self.rows_N]
        if isinstance(dataset, HasContext):
            self.context = dataset.context

    def __len__(self) -> int:
        return len(self.rows_N)

    def __getitem__(self, index: int, /) -> Sample:
        numbers = {self._modality: int(self._numbers_N[index])}
        sample = with_values(self._dataset, int(self.rows_N[index]), numbers, self.modalities)
        return replace(sample, group=sample.id if sample.group is None else sample.group)


def every_value(dataset: Dataset, modality: str) -> Dataset:
    """The samples that have a modality, with a row for each of their values of it; as they are where each has one."""
    there = having(dataset, [modality])
    return EveryValue(there, modality) if modality in value_counts_of(there) else there


def check_ids_of(dataset: Dataset, rows_N: np.ndarray, ids_N: np.ndarray, what: str) -> None:
    """As :func:`coview.data.ids.check_ids`, of rows of which several may be of one sample.

    Args:
        dataset: As of :func:`every_value`.
        rows_N: Some of its rows.
        ids_N: Their ids, as int64.
        what: Whose rows they are.

    Raises:
        CoviewError: If two samples have one id.
    """
    if isinstance(dataset, EveryValue):
        rows_N, first_N = np.unique(dataset.rows_N[rows_N], return_index=True)
        ids_N = ids_N[first_N]
    check_ids(rows_N, ids_N, what)
