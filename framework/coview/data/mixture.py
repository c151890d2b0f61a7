"""Several data sets that are trained on as one.

An epoch of a mixture ends where the first of its data sets has no sample left that has not come in it: a sample comes
at most once in an epoch, so that none is in a batch twice and each of its views is another. Which rows an epoch has is
a pure function of (seed, epoch). A data set of which an epoch takes a part is gone through in turns: every epoch takes
the next part of a shuffled row of all samples, and where less is left than a part, they are shuffled anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar

import numpy as np

from coview.data.dataset import Dataset, HasNegatives, HasSeveralValues, KnowsGroups, KnowsIds, KnowsLabels
from coview.data.order import order_rng
from coview.data.present import present_of
from coview.data.sample import Sample
from coview.data.sample_of import sample_of
from coview.data.several_values import with_values
from coview.recipe.needs import NEGATIVE


class Mixture:
    """The training splits of several data sets, one after the other.

    Classes of one name are one class. Ids and groups are told apart by data set: those of one name in two of them are
    not the same.

    Args:
        parts: The splits, at least two.
        weights: How often the samples of each come, relative to the others; None: as often as there are samples.

    Attributes:
        parts: The splits.
        counts: How many samples of each come in an epoch.
    """

    splits: ClassVar[tuple[str, ...]] = ("train",)

    def __init__(self, parts: Sequence[Dataset], weights: Sequence[float] | None = None) -> None:
        self.parts = tuple(parts)
        self.counts = counts_of_epoch([len(part) for part in parts], weights)
        self._starts = [0, *accumulate(len(part) for part in parts)]
        self.modalities = parts[0].modalities
        named = [part.classes for part in parts if part.classes is not None]
        self.classes = tuple(dict.fromkeys(name for classes in named for name in classes)) if named else None
        places = {name: place for place, name in enumerate(self.classes or ())}
        self._class_of = [None if part.classes is None else [places[name] for name in part.classes] for part in parts]
        self.version = " + ".join(part.version for part in parts)
        self.citation = "\n\n".join(dict.fromkeys(part.citation for part in parts if part.citation))
        self.licence = "; ".join(dict.fromkeys(part.licence for part in parts))
        self.labels = self._labels()
        self.groups = self._groups()
        self.present = self._present()
        self.value_counts = self._value_counts()
        self.negatives = self._negatives()
        self.ids = self._ids() if self.value_counts else None

    @property
    def samples_per_epoch(self) -> int:
        """How many samples an epoch has."""
        return sum(self.counts)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int, /) -> Sample:
        """A sample with the class, id and group that it has in the mixture."""
        return self.with_values(index, {})

    def with_values(
        self, index: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None, /
    ) -> Sample:
        """The same with other values: see :class:`coview.HasSeveralValues`."""
        number = self.part_of(index)
        part, row = self.parts[number], index - self._starts[number]
        return self._in_mixture(number, with_values(part, row, numbers, modalities))

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """As :class:`coview.ReadsModalities`."""
        number = self.part_of(index)
        return self._in_mixture(number, sample_of(self.parts[number], index - self._starts[number], modalities))

    def _in_mixture(self, number: int, sample: Sample) -> Sample:
        classes = self._class_of[number]
        return replace(
            sample,
            id=_own(number, sample.id),
            label=None if classes is None or sample.label is None else classes[sample.label],
            group=None if sample.group is None else _own(number, sample.group),
            negatives={
                name: replace(of, id=None if of.id is None else _own(number, of.id))
                for name, of in sample.negatives.items()
            },
        )

    def part_of(self, row: int) -> int:
        """The number of the data set that a row is of."""
        return bisect_right(self._starts, row) - 1

    def parts_of(self, rows_N: np.ndarray) -> np.ndarray:
        """The same of many rows."""
        return np.searchsorted(self._starts, rows_N, side="right") - 1

    def rows_of_epoch(self, seed: int, epoch: int) -> np.ndarray:
        """The rows that come in an epoch, each once, those of one data set after those of the other."""
        found = []
        for number, (count, part, start) in enumerate(zip(self.counts, self.parts, self._starts, strict=False)):
            turn, place = divmod(epoch, len(part) // count)
            found.append(_shuffled(len(part), seed, turn, number)[place * count : (place + 1) * count] + start)
        return np.concatenate(found)

    def _labels(self) -> np.ndarray | None:
        found = []
        for part, classes in zip(self.parts, self._class_of, strict=True):
            if classes is None:
                found.append(np.full(len(part), -1, dtype=np.int64))
            elif isinstance(part, KnowsLabels) and part.labels is not None:
                found.append(np.asarray([*classes, -1], dtype=np.int64)[np.asarray(part.labels, dtype=np.int64)])
            else:
                return None
        return np.concatenate(found)

    def _present(self) -> dict[str, np.ndarray]:
        of_parts = [(present_of(part), np.ones(len(part), dtype=bool)) for part in self.parts]
        lacked = dict.fromkeys(name for present, _ in of_parts for name in present)
        return {name: np.concatenate([present.get(name, all_N) for present, all_N in of_parts]) for name in lacked}

    def _value_counts(self) -> dict[str, np.ndarray]:
        """Of a data set of which that is not known, each sample that has a modality has one value of it."""
        known = [part.value_counts or {} if isinstance(part, HasSeveralValues) else {} for part in self.parts]
        there = [{**present_of(part), NEGATIVE: _has_negatives(part)} for part in self.parts]
        return {
            name: np.concatenate(
                [
                    np.asarray(of[name] if name in of else has.get(name, np.ones(len(part))), dtype=np.int64)
                    for of, has, part in zip(known, there, self.parts, strict=True)
                ]
            )
            for name in dict.fromkeys(name for of in known for name in of)
        }

    def _negatives(self) -> dict[str, np.ndarray]:
        known = [part.negatives or {} if isinstance(part, HasNegatives) else {} for part in self.parts]
        return {
            name: np.concatenate(
                [
                    np.asarray(of.get(name, np.zeros(len(part))), dtype=bool)
                    for of, part in zip(known, self.parts, strict=True)
                ]
            )
            for name in dict.fromkeys(name for of in known for name in of)
        }

    def _ids(self) -> list[int | str] | None:
        found: list[int | str] = []
        for number, part in enumerate(self.parts):
            if not isinstance(part, KnowsIds) or part.ids is None:
                return None
            found += [_own(number, name) for name in part.ids]
        return found

    def _groups(self) -> list[int | str | None] | None:
        found: list[int | str | None] = []
        for number, part in enumerate(self.parts):
            if not isinstance(part, KnowsGroups) or part.groups is None:
                return None
            found += [None if group is None else _own(number, group) for group in part.groups]
        return found


def _has_negatives(part: Dataset) -> np.ndarray:
    """Whether each row has a hard negative of some modality."""
    known = part.negatives or {} if isinstance(part, HasNegatives) else {}
    nowhere_N = np.zeros(len(part), dtype=bool)
    found_N: np.ndarray = np.logical_or.reduce([nowhere_N, *(np.asarray(has, dtype=bool) for has in known.values())])
    return found_N


def samples_of_epoch(dataset: Dataset) -> int:
    """How many samples of a training split an epoch has: all, but of a mixture those that it takes."""
    return dataset.samples_per_epoch if isinstance(dataset, Mixture) else len(dataset)


def counts_of_epoch(sizes: Sequence[int], weights: Sequence[float] | None) -> tuple[int, ...]:
    """How many samples of each data set an epoch has: in the ratio of the weights, and of one of them all."""
    if weights is None:
        return tuple(sizes)
    times = min(size / weight for size, weight in zip(sizes, weights, strict=True))
    return tuple(min(size, round(times * weight)) for size, weight in zip(sizes, weights, strict=True))


def _own(number: int, name: int | str) -> str:
    """An id or a group of a data set, that nothing of another one has."""
    return f"{number}:{name}" if isinstance(name, str) else f"{number}#{name}"


@lru_cache(maxsize=8)  # several epochs take their rows of one turn
def _shuffled(size: int, seed: int, turn: int, number: int) -> np.ndarray:
    return order_rng(seed, turn, part=number + 1).numpy.permutation(size)
