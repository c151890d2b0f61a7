"""The data of a run as its curves see them: what validates stands where test stands, and test is nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from coview.data.dataset import Dataset, KnowsGroups, KnowsLabels
from coview.data.sample import id_as_int64
from coview.data.some_rows import SomeRows
from coview.data.values import readable_samples
from coview.errors import SampleError
from coview.experiment.splits import DataSource, Splits
from coview.experiment.validation import carve_validation


@dataclass
class ValidationSplits(Splits):
    """The splits of some data with ``validation`` under the name ``test``, so that evaluators measure on it.

    Data without a validation split of their own have a part of ``train`` there, the one that hyper-parameters are
    chosen on; ``train`` then does not contain it. In both cases ``validation`` is carved out of what is left, for
    evaluators that choose something: nothing is chosen on what is measured.

    Attributes:
        whole: The splits as they are.
    """

    whole: Splits = field(kw_only=True)
    _parts: dict[str, dict[str, Dataset]] = field(default_factory=dict)

    def has(self, source: DataSource, split: str) -> bool:
        """Whether there is such a split here: never ``validation``, which stands in for ``test``."""
        own, train = (self.whole.has(source, name) for name in ("validation", "train"))
        return {"train": train, "test": own or train}.get(split, False)

    def reference(self, source: DataSource) -> Dataset:
        """The split that says what classes there are."""
        return self.whole.reference(source)

    def __call__(self, source: DataSource, split: str) -> Dataset:
        """A split.

        Raises:
            CoviewError: If it cannot be made.
        """
        if self.whole.has(source, "validation"):
            return self.whole(source, {"test": "validation"}.get(split, split))
        if source.key not in self._parts:
            train = self.whole(source, "train")
            rest, held = _carved(train)
            self._parts[source.key] = {"train": SomeRows(train, rest), "test": SomeRows(train, held)}
        return self._parts[source.key][split]


def _carved(train: Dataset) -> tuple[list[int], list[int]]:
    """The rows that stay, and those that validate.

    What a data set does not say of its rows ahead, its samples do: they are then read once.
    """
    labels = train.labels if isinstance(train, KnowsLabels) and train.classes is not None else None
    groups = train.groups if isinstance(train, KnowsGroups) else None
    rows = np.arange(len(train))
    first = next(readable_samples(train), None)
    has_groups = first is not None and first.group is not None
    if (labels is None and train.classes is not None) or (groups is None and has_groups):
        readable, labels, groups = _read(train)
        rows = np.array(readable, dtype=np.int64)
    groups = None if groups is None else [id_as_int64(group) for group in groups]
    rest, held = carve_validation(len(rows), labels, groups)
    return rows[rest].tolist(), rows[held].tolist()


def _read(train: Dataset) -> tuple[list[int], list[int] | None, list[int | str] | None]:
    """The rows that can be read, with their classes and groups: -1 where a sample has no class."""
    rows, labels, groups = [], [], []
    for row in range(len(train)):
        try:
            sample = train[row]
        except SampleError:
            continue
        rows.append(row)
        labels.append(sample.label)
        groups.append(sample.group)
    known = [label for label in labels if label is not None]
    of_rows = [-1 if label is None else label for label in labels] if known else None
    grouped = [group for group in groups if group is not None]
    return rows, of_rows, grouped if len(grouped) == len(rows) else None
