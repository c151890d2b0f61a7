"""Samples of several modalities, wherever their values are: what the data sets of pairs have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from coview.builtin.datasets.pairs import PairSample, PairSplits
from coview.data.evenly import evenly
from coview.data.modality import FileReader, Modality, ReadsTyped
from coview.data.packed_texts import PackedTexts
from coview.data.sample import Negative, Sample
from coview.errors import SampleError
from coview.recipe.needs import NEGATIVE

_EXAMPLES = 8


class Source(Protocol):
    """Where the values of one modality are."""

    def look_at(self, names: Sequence[str]) -> Sequence[str]:
        """Settles on how to read the values by some of them, and returns what to say; raises CoviewError."""
        ...

    def reading(self, names: Sequence[str]) -> Callable[[int], Any]:
        """What reads values by their places among names; it raises :class:`coview.SampleError`."""
        ...


@dataclass(frozen=True)
class TextSource:
    """Values that are texts: a name is the text.

    Attributes:
        modality: Makes values of them.
    """

    modality: Modality

    def look_at(self, names: Sequence[str]) -> Sequence[str]:
        """There is nothing to say about a text."""
        return ()

    def reading(self, names: Sequence[str]) -> Callable[[int], Any]:
        """What makes values of texts."""
        assert isinstance(self.modality, ReadsTyped), "what reads no files takes texts"
        return _Texts(PackedTexts(names), self.modality)


@dataclass(frozen=True)
class FileSource:
    """Values in files of their own: a name is the path.

    Attributes:
        root: The folder that paths begin in.
        reader: Makes values of files.
    """

    root: Path
    reader: FileReader

    def look_at(self, names: Sequence[str]) -> Sequence[str]:
        """What the reader says of some files."""
        return self.reader.look_at([(name, self.root / name) for name in names])

    def reading(self, names: Sequence[str]) -> Callable[[int], Any]:
        """What reads files."""
        return _Files(self.root, PackedTexts(names), self.reader)


def sources_of(
    modalities: Mapping[str, Modality],
    readers: Mapping[str, FileReader | None],
    of_files: Callable[[FileReader], Source],
) -> dict[str, Source]:
    """Where the values of each modality are: files, or texts where a modality reads none.

    Args:
        modalities: By name.
        readers: What reads the files of each, as of :func:`coview.file_readers`.
        of_files: Where files are that a reader reads.
    """
    return {
        name: TextSource(modality) if (reader := readers[name]) is None else of_files(reader)
        for name, modality in modalities.items()
    }


@dataclass(frozen=True)
class _Texts:
    texts: Sequence[str]
    modality: ReadsTyped

    def __call__(self, place: int) -> Any:
        return self.modality.read_typed(self.texts[place])


@dataclass(frozen=True)
class _Files:
    root: Path
    paths: Sequence[str]
    reader: FileReader

    def __call__(self, place: int) -> Any:
        return self.reader(self.root / self.paths[place])


@dataclass(frozen=True)
class _Values:
    """The values of one modality, those of the first sample ahead of those of the next."""

    counts_N: np.ndarray
    firsts_N: np.ndarray
    read: Callable[[int], Any]

    @classmethod
    def of(cls, source: Source, names: Sequence[Sequence[str]]) -> _Values:
        counts_N = np.array([len(of_sample) for of_sample in names], dtype=np.int64)
        read = source.reading([name for of_sample in names for name in of_sample])
        return cls(counts_N, np.cumsum(counts_N) - counts_N, read)

    def __call__(self, index: int, number: int) -> Any:
        return self.read(int(self.firsts_N[index]) + number)


class PairedSamples:
    """The samples of a split. A subclass finds them, and calls this constructor.

    Args:
        pairs: The samples of all splits.
        split: Which split.
        sources: Where the values of each modality are.
        version: Of the data set.
        notes: What to say about it besides.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    named_by: ClassVar[str] = "columns"
    """The parameter that names the modalities."""
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        pairs: PairSplits,
        split: str,
        sources: Mapping[str, Source],
        *,
        version: str,
        notes: Sequence[str] = (),
    ) -> None:
        self.modalities: tuple[str, ...] = tuple(sources)
        said = list(notes)
        for name, source in sources.items():  # the same examples for each split
            names = pairs.names(name)
            said += source.look_at([names[at] for at in evenly(len(names), _EXAMPLES)])
        self.version, self.notes = version, (*said, *pairs.notes)
        rows_N = pairs.parts[split]
        samples = [pairs.samples[at] for at in rows_N]
        self.ids = PackedTexts(sample.id for sample in samples)
        self.groups = PackedTexts(pairs.groups[at] for at in rows_N)
        self.classes = pairs.classes
        self.labels = None if pairs.labels is None else pairs.labels[rows_N]
        self.unreadable = {
            at: SampleError(sample.where, sample.fault) for at, sample in enumerate(samples) if sample.fault
        }
        self._values = {
            name: _Values.of(source, [sample.values.get(name, ()) for sample in samples])
            for name, source in sources.items()
        }
        is_faulty_N = np.array([bool(sample.fault) for sample in samples], dtype=bool)
        counts = {name: np.where(is_faulty_N, 1, of.counts_N) for name, of in self._values.items()}
        self.present = {name: count_N > 0 for name, count_N in counts.items() if not (count_N > 0).all()}
        self.negatives: dict[str, np.ndarray] = {}
        self._negatives: _Negatives | None = None
        if pairs.negatives_of is not None:
            self._negatives = _Negatives.of(pairs.negatives_of, sources[pairs.negatives_of], samples)
            counts[NEGATIVE] = self._negatives.values.counts_N
            self.negatives = {pairs.negatives_of: counts[NEGATIVE] > 0}
        self.value_counts = {name: count_N for name, count_N in counts.items() if count_N.max(initial=0) > 1}

    @classmethod
    def find_modalities(cls, **parameters: Any) -> tuple[str, ...]:
        """The modalities of the samples with these parameters, in the order of their names."""
        given = parameters.get(cls.named_by)
        return tuple(sorted(map(str, given))) if isinstance(given, Mapping) else ()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> Sample:
        return self.with_values(index, {})

    def with_values(
        self, index: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None, /
    ) -> Sample:
        """The sample with other values than the first: see :class:`coview.HasSeveralValues`."""
        return self._sample(index, numbers, self.modalities if modalities is None else modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """The sample with the values of some modalities alone: see :class:`coview.ReadsModalities`."""
        return self._sample(index, {}, modalities)

    def _sample(self, index: int, numbers: Mapping[str, int], modalities: Collection[str]) -> Sample:
        index = range(len(self))[index]
        if index in self.unreadable:
            raise self.unreadable[index]
        return Sample(
            {
                name: of(index, numbers.get(name, 0))
                for name, of in self._values.items()
                if name in modalities and of.counts_N[index]
            },
            id=self.ids[index],
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
            group=self.groups[index],
            negatives=self._negatives(index, numbers.get(NEGATIVE, 0))
            if self._negatives is not None and self._negatives.modality in modalities
            else {},
        )


@dataclass(frozen=True)
class _Negatives:
    """The hard negatives of one modality, each with the id of the sample that it is a value of, empty if of none."""

    modality: str
    values: _Values
    ids: Sequence[str]

    @classmethod
    def of(cls, modality: str, source: Source, samples: Sequence[PairSample]) -> _Negatives:
        owners: dict[str, str] = {}
        for sample in samples:
            for value in sample.values.get(modality, ()):
                owners.setdefault(value, sample.id)
        names = [sample.negatives for sample in samples]
        ids = PackedTexts(owners.get(name, "") for of_sample in names for name in of_sample)
        return cls(modality, _Values.of(source, names), ids)

    def __call__(self, index: int, number: int) -> dict[str, Negative]:
        if not self.values.counts_N[index]:
            return {}
        of = self.ids[int(self.values.firsts_N[index]) + number]
        return {self.modality: Negative(self.values(index, number), of or None)}
