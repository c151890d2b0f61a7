"""Samples of several modalities, wherever their values are: what the data sets of pairs have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from coview.data.modality import FileReader, ReadsTyped
from coview.data.packed_texts import PackedTexts
from coview.data.sample import Sample
from coview.errors import SampleError


@dataclass(frozen=True)
class Values:
    """The values of one modality: those of the first sample, then those of the next.

    Attributes:
        counts_N: How many each sample has.
        read: A value, by its place among all; raises :class:`coview.SampleError`.
    """

    counts_N: np.ndarray
    read: Callable[[int], Any]


class TypedValues:
    """Values that are texts.

    Args:
        texts: Of all samples.
        modality: Makes values of them.
    """

    def __init__(self, texts: Sequence[str], modality: ReadsTyped) -> None:
        self._texts, self._modality = PackedTexts(texts), modality

    def __call__(self, place: int) -> Any:
        """The value at a place."""
        return self._modality.read_typed(self._texts[place])


class FileValues:
    """Values in files of their own.

    Args:
        root: The folder that paths begin in.
        paths: Of the values of all samples.
        reader: Makes values of files.
    """

    def __init__(self, root: Path, paths: Sequence[str], reader: FileReader) -> None:
        self._root, self._paths, self._reader = root, PackedTexts(paths), reader

    def __call__(self, place: int) -> Any:
        """The value at a place; raises :class:`coview.SampleError`."""
        return self._reader(self._root / self._paths[place])


class PairedSamples:
    """The samples of a split. A subclass finds them, and calls this constructor.

    Args:
        values: Those of each modality.
        ids: Of each sample.
        groups: What must not cross a split, of each sample.
        classes: The names of the classes; None where there are none.
        labels: Of each sample the index of its class, -1 for none; None without classes.
        faults: Samples that cannot be used, by their numbers. They have no values.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    citation = ""
    licence = "the owner's"
    version = ""
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        values: Mapping[str, Values],
        *,
        ids: Sequence[str],
        groups: Sequence[str],
        classes: tuple[str, ...] | None = None,
        labels: np.ndarray | None = None,
        faults: Mapping[int, SampleError] | None = None,
    ) -> None:
        self.modalities: tuple[str, ...] = tuple(values)
        self.ids, self.groups = PackedTexts(ids), PackedTexts(groups)
        self.classes, self.labels = classes, labels
        self.unreadable = dict(faults or {})
        self._values = values
        self._firsts = {name: np.cumsum(of.counts_N) - of.counts_N for name, of in values.items()}
        is_faulty_N = np.isin(np.arange(len(ids)), list(self.unreadable))
        counts = {name: np.where(is_faulty_N, 1, of.counts_N) for name, of in values.items()}
        self.present = {name: count_N > 0 for name, count_N in counts.items() if not (count_N > 0).all()}
        self.value_counts = {name: count_N for name, count_N in counts.items() if count_N.max(initial=0) > 1}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> Sample:
        return self.with_values(index, {})

    def with_values(self, index: int, numbers: Mapping[str, int], /) -> Sample:
        """The sample with other values than the first: see :class:`coview.HasSeveralValues`."""
        return self._sample(index, numbers, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """The sample with the values of some modalities alone: see :class:`coview.ReadsModalities`."""
        return self._sample(index, {}, modalities)

    def _sample(self, index: int, numbers: Mapping[str, int], modalities: Collection[str]) -> Sample:
        index = range(len(self))[index]
        if index in self.unreadable:
            raise self.unreadable[index]
        return Sample(
            {
                name: of.read(int(self._firsts[name][index]) + numbers.get(name, 0))
                for name, of in self._values.items()
                if name in modalities and of.counts_N[index]
            },
            id=self.ids[index],
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
            group=self.groups[index],
        )
