"""Samples of shards that are fetched one after the other: what the data sets that are streamed have in common."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from coview.data.content_version import content_version
from coview.data.evenly import evenly
from coview.data.modality import Modality, ReadsTyped
from coview.data.sample import Sample
from coview.data.shard_list import Shard, counted, find_shards, names_of
from coview.data.shard_reader import ShardReader
from coview.data.shard_store import ShardStore
from coview.data.split import check_split
from coview.data.streamed_file import StreamedFile
from coview.data.value_readers import file_readers
from coview.errors import CoviewError, SampleError

_EXAMPLES = 8
_FEW = 8
"""Fewer shards than that mix little."""


class StreamedShards:
    """A data set of shards larger than the disk: the base of ``streamed_tars``, and of others with files of their own.

    Args:
        split: Which split.
        given: The shards of each split: a folder, a pattern such as ``data/train-*.tar``, or a ``sizes.json`` that
            names them, on disk or at an address that fsspec knows; None: the split is not there.
        store: Their files: a :class:`coview.TarStore` or a :class:`coview.ParquetStore`.
        modalities: What the samples have, by name.
        columns: What holds the value of each modality, and the label and the group under ``label`` and ``group``.
        read: How files are read, by modality, as of :func:`coview.file_readers`.
        classes: The names of the classes in order, or their number; with a label. None: what the store says.
        longest_text: Characters of a text, at most.
        shards_at_once: How many shards a batch has samples of, at most.

    Raises:
        CoviewError: If a split has no shards, a shard is of several, or what is said of them is wrong.
        ValueError: If only one of label and classes is given.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    streamed: ClassVar[bool] = True
    named_by: ClassVar[str] = "columns"
    """The parameter that names the modalities."""
    has_fields: ClassVar[bool] = False
    """Whether ``json:caption`` is a field of the JSON object in ``json``."""
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        split: str,
        given: Mapping[str, Path | None],
        store: ShardStore,
        *,
        modalities: Mapping[str, Modality],
        columns: Mapping[str, str],
        read: Mapping[str, Mapping[str, Any]] | None = None,
        classes: int | tuple[str, ...] | None = None,
        longest_text: int = 100_000,
        shards_at_once: int = 16,
    ) -> None:
        check_split(split, tuple(part for part, of_split in given.items() if of_split is not None))
        shards = {
            part: counted(find_shards(of_split, store.ending, store.options, store.what), store.count, store.what)
            for part, of_split in given.items()
            if of_split is not None
        }
        _check_parts(shards, store.what)
        label = columns.get("label")
        if label is not None and classes is None:
            classes = store.names_of_classes(shards["train"][0], label)
        self.modalities: tuple[str, ...] = tuple(modalities)
        self.classes = _class_names(label, classes)
        self.shards_at_once = shards_at_once
        self._modalities, self._columns = modalities, dict(columns)
        self._readers = file_readers(modalities, read or {})
        self._place = {column: place for place, column in enumerate(store.columns)}
        self._longest_text = longest_text
        every = [shard for of_split in shards.values() for shard in of_split]
        names = dict(zip((shard.address for shard in every), names_of(every), strict=True))

        def reader_of(part: str) -> ShardReader:
            return ShardReader(
                shards[part], [names[shard.address] for shard in shards[part]], store, self.shards_at_once
            )

        self._reader = reader_of("train")
        said = self._look_at([shard.samples or 0 for shard in shards["train"]])
        self._reader = reader_of(split)
        self.shard_sizes: tuple[int, ...] = tuple(shard.samples or 0 for shard in shards[split])
        self._starts = np.cumsum([0, *self.shard_sizes])
        self.notes = (*_shuffle_notes(len(shards["train"]), shards_at_once), *said)
        rows = (
            (part, names[shard.address], shard.samples, shard.size, shard.state)
            for part, of_split in shards.items()
            for shard in of_split
        )
        self.version = content_version(sum(shard.samples or 0 for shard in every), "samples", rows)

    @classmethod
    def find_modalities(cls, **parameters: Any) -> tuple[str, ...]:
        """The modalities of the samples with these parameters, in the order of their names."""
        given = parameters.get(cls.named_by)
        return tuple(sorted(map(str, given))) if isinstance(given, Mapping) else ()

    @classmethod
    def find_splits(cls, test: Any = None, validation: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        given = (("train", ""), ("validation", validation), ("test", test))
        return tuple(name for name, shards in given if shards is not None)

    @staticmethod
    def columns_of(
        given: Mapping[str, str], modalities: Mapping[str, Modality], label: str | None, group: str | None
    ) -> dict[str, str]:
        """``columns``, of what is given of each modality, of the label and of the group."""
        further = {"label": label, "group": group}
        return {name: given[name] for name in modalities} | {name: at for name, at in further.items() if at is not None}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int, /) -> Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """The sample with the values of some modalities alone: see :class:`coview.ReadsModalities`."""
        row = range(len(self))[index]
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        at = shard, row - int(self._starts[shard])
        name = self._reader.name(*at)
        return Sample(
            {one: self._value(name, at, one) for one in self.modalities if one in modalities},
            id=name,
            label=self._label(name, at),
            group=self._text(name, at, self._columns["group"]) if "group" in self._columns else None,
        )

    def fetch_ahead(self, shards: Sequence[int], /) -> None:
        """Has some shards fetched: see :class:`coview.StreamsShards`."""
        self._reader.fetch_ahead(shards)

    def _look_at(self, sizes: Sequence[int]) -> tuple[str, ...]:
        """Has each modality settle on how to read its files by a few of the first shard."""
        shard = next((number for number, size in enumerate(sizes) if size), 0)
        said: list[str] = []
        for name, reader in self._readers.items():
            if reader is None:
                continue
            files = []
            for sample in evenly(sizes[shard], _EXAMPLES):
                with suppress(SampleError):  # reading the sample says what is wrong
                    content = self._content((shard, sample), self._columns[name])
                    if content is not None:
                        files.append((self._reader.name(shard, sample), StreamedFile(content)))
            said += reader.look_at(files)
        return tuple(said)

    def _content(self, at: tuple[int, int], column: str) -> bytes | None:
        return self._reader.content(*at, self._place[self._parts(column)[0]])

    def _parts(self, column: str) -> tuple[str, str]:
        """What is read for a column, and the field of it."""
        name, _, field = column.partition(":")
        return (name, field) if self.has_fields else (column, "")

    def _value(self, name: str, at: tuple[int, int], modality: str) -> Any:
        reader, column = self._readers[modality], self._columns[modality]
        if reader is not None:
            content = self._content(at, column)
            if content is None:
                raise SampleError(name, f"has no {column}")
            return reader(StreamedFile(content), name)
        text = self._text(name, at, column)
        if text is None:
            raise SampleError(name, f"has no {column}")
        if len(text) > self._longest_text:
            raise SampleError(name, f"{column} has {len(text):,} characters, more than {self._longest_text:,}")
        typed = self._modalities[modality]
        assert isinstance(typed, ReadsTyped), "what reads no files takes texts"
        return typed.read_typed(text)

    def _text(self, name: str, at: tuple[int, int], column: str) -> str | None:
        """A text, or a field of a JSON object; None where there is nothing."""
        content = self._content(at, column)
        if content is None:
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SampleError(name, f"{column} is not UTF-8: byte {error.start}") from error
        if field := self._parts(column)[1]:
            try:
                found = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise SampleError(name, f"{column} is not JSON: {error}") from error
            value = found.get(field) if isinstance(found, dict) else None
            if isinstance(value, list | dict):
                raise SampleError(name, f"{column} holds a {type(value).__name__}, and has to be one value")
            text = "" if value is None else str(value)
        return text.strip() or None

    def _label(self, name: str, at: tuple[int, int]) -> int | None:
        if "label" not in self._columns or self.classes is None:
            return None
        text = self._text(name, at, self._columns["label"])
        if text is None or text == "-1":
            return None
        if text in self.classes:
            return self.classes.index(text)
        if text.isascii() and text.isdigit() and int(text) < len(self.classes):
            return int(text)
        raise SampleError(name, f"has the class {text[:40]!r}, which is none of the {len(self.classes):,} classes")


def _class_names(label: str | None, classes: int | tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The names of the classes; none without a label."""
    if (label is None) != (classes is None):
        given, lacking = ("label", "classes") if classes is None else ("classes", "label")
        raise ValueError(
            f"{given} is given without {lacking}: give the column of the class, and the names of the classes in order "
            "or their number"
        )
    return tuple(map(str, range(classes))) if isinstance(classes, int) else classes


def _check_parts(shards: Mapping[str, Sequence[Shard]], what: str) -> None:
    """Raises CoviewError if a shard is of several splits."""
    seen: dict[str, str] = {}
    for part, of_split in shards.items():
        for shard in of_split:
            if seen.setdefault(shard.address, part) != part:
                raise CoviewError(f"{what}: {shard.address} is of several splits")


def _shuffle_notes(shards: int, at_once: int) -> tuple[str, ...]:
    if at_once >= min(shards, _FEW):
        return ()
    return (
        f"a batch has samples of {at_once} of {shards:,} shards: if those of a shard are alike, such as of one class, "
        f"so are those of a batch; shards_at_once = {_FEW} or more mixes more of them",
    )
