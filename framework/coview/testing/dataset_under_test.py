"""A data set that is checked, and what tells its samples apart.

Other interpreters import this module to build the data set there, and wait for what it imports: not for torch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coview.data.content import content_hash
from coview.data.dataset import Dataset
from coview.data.sample import Sample
from coview.data.split_under_test import SplitUnderTest

ROWS = 256
"""How many rows of a split are read."""

SECONDS = 60.0
"""When it stops reading more of them."""


@dataclass(frozen=True)
class DatasetUnderTest:
    """A data set, by what builds it.

    Attributes:
        factory, parameters: A split is ``factory(split=…, **parameters)``.
        names: The splits.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    names: tuple[str, ...]

    def fresh(self, split: str) -> Dataset:
        """A split, built anew."""
        made: Dataset = self.factory(split=split, **copy.deepcopy(dict(self.parameters)))
        return made

    @cached_property
    def splits(self) -> Mapping[str, SplitUnderTest]:
        """Each split, with what was read of it."""
        return {name: SplitUnderTest.read(self.fresh(name), ROWS, SECONDS) for name in self.names}


def told_of(tested: DatasetUnderTest, split: str, rows: Collection[int]) -> list[Any]:
    """What tells samples apart: their hashes travel, and not their values."""
    dataset = tested.fresh(split)
    return [told(dataset[row]) for row in rows]


def told(sample: Any) -> Any:
    """Its hashes, id, label and what else it has; None for what is no sample."""
    if not isinstance(sample, Sample) or not isinstance(sample.values, Mapping):
        return None
    values = {name: content_hash(value) for name, value in sample.values.items()}
    extras = {name: content_hash(value) for name, value in sample.extras.items()}
    negatives = {name: (content_hash(of.value), of.id) for name, of in sample.negatives.items()}
    return values, sample.id, sample.label, sample.group, sample.score, extras, negatives
