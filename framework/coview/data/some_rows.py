"""A data set of some rows of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from coview.data.dataset import Dataset, HasContext, KnowsGroups, KnowsLabels
from coview.data.sample import Sample


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
        if isinstance(dataset, KnowsLabels):
            self.labels = None if dataset.labels is None else [int(dataset.labels[row]) for row in rows]
        if isinstance(dataset, KnowsGroups):
            self.groups = None if dataset.groups is None else [dataset.groups[row] for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Sample:
        return self._dataset[self._rows[index]]
