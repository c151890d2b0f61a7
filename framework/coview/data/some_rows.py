"""A data set of some rows of another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import numpy as np

from coview.data.dataset import (
    Dataset,
    HasContext,
    HasJudgedPairs,
    HasNegatives,
    HasSeveralValues,
    KnowsGroups,
    KnowsIds,
    KnowsLabels,
    KnowsPresent,
    KnowsUnreadable,
)
from coview.data.judged_pairs import Pairs
from coview.data.sample import Sample
from coview.data.sample_of import sample_of


class SomeRows:
    """Some rows of a data set, as they are. What that knows of its rows ahead is known of these.

    Args:
        dataset: The samples.
        rows: Which of them, in which order.
    """

    splits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dataset: Dataset, rows: Sequence[int]) -> None:
        self._dataset, self._rows = dataset, rows
        self.modalities = dataset.modalities
        self.classes, self.version = dataset.classes, dataset.version
        self.citation, self.licence = dataset.citation, dataset.licence
        if isinstance(dataset, HasContext):
            self.context = dataset.context
        # each is asked once: what a data set knows may be a property that goes through all of its rows
        if isinstance(dataset, KnowsLabels):
            labels = dataset.labels
            self.labels = None if labels is None else [int(labels[row]) for row in rows]
        if isinstance(dataset, KnowsGroups):
            groups = dataset.groups
            self.groups = None if groups is None else [groups[row] for row in rows]
        if isinstance(dataset, KnowsIds):
            ids = dataset.ids
            self.ids = None if ids is None else [ids[row] for row in rows]
        if isinstance(dataset, KnowsPresent):
            present = dataset.present
            self.present = present and {name: [bool(has[row]) for row in rows] for name, has in present.items()}
        self.value_counts: Mapping[str, Sequence[int]] | None = None
        if isinstance(dataset, HasSeveralValues):
            counts = dataset.value_counts
            self.value_counts = counts and {name: [int(of[row]) for row in rows] for name, of in counts.items()}
        if isinstance(dataset, HasNegatives):
            negatives = dataset.negatives
            self.negatives = negatives and {name: [bool(has[row]) for row in rows] for name, has in negatives.items()}
        if isinstance(dataset, KnowsUnreadable):
            at = {row: place for place, row in enumerate(rows)}
            self.unreadable = {at[row]: error for row, error in dataset.unreadable.items() if row in at}
        if isinstance(dataset, HasJudgedPairs):
            pairs = dataset.pairs
            self.pairs = pairs and _among(pairs, rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Sample:
        return self._dataset[self._rows[index]]

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """As :class:`coview.ReadsModalities`."""
        return sample_of(self._dataset, self._rows[index], modalities)

    def with_values(
        self, index: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None, /
    ) -> Sample:
        """As of the data set: see :class:`coview.HasSeveralValues`."""
        if not isinstance(self._dataset, HasSeveralValues):
            return self[index]
        return self._dataset.with_values(self._rows[index], numbers, modalities)


def _among(pairs: Pairs, rows: Sequence[int]) -> Pairs | None:
    """The pairs of which both rows are there, by their places; None where there is none."""
    at = {row: place for place, row in enumerate(rows)}
    kept = [
        (at[first], at[second], score)
        for first, second, score in zip(
            pairs.first_P.tolist(), pairs.second_P.tolist(), pairs.score_P.tolist(), strict=True
        )
        if first in at and second in at
    ]
    return Pairs(*(np.asarray(column) for column in zip(*kept, strict=True))) if kept else None
