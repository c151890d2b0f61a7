"""Tables of pairs: a column, or several, for each modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from coview.builtin.datasets.paired_samples import FileValues, PairedSamples, TypedValues, Values
from coview.builtin.datasets.pairs import (
    Key,
    PairRow,
    PairSample,
    fault_notes,
    lacking_notes,
    repeated_notes,
    samples_of,
    split_pairs,
)
from coview.data.content_version import content_version
from coview.data.evenly import evenly
from coview.data.modality import FileReader, Modality, ReadsTyped
from coview.data.split import check_split
from coview.data.split_column import rows_by_split, table_splits
from coview.data.table_file import Table, TableRow, read_table
from coview.data.table_paths import NamedFiles, table_files
from coview.data.value_readers import file_readers
from coview.errors import CoviewError, SampleError
from coview.plugins.home import expanded

_EXAMPLES = 8


class PairsTable(PairedSamples):
    """Pictures with captions, sounds with texts, or more together: a table with a column for each modality.

    The table is a CSV, TSV, JSONL or Parquet file. A cell is the path of a file, or the text itself, as the modality
    has its values. An empty one says that the sample lacks the modality. A sample may have several values of a
    modality, such as captions: of several columns, of a list in a cell (JSONL, Parquet), or of several rows, as rows
    that name one file are one sample. In training each epoch draws one of them; in an evaluation each is a row of the
    modality, and any of a sample is right in a retrieval.

    Files that are not there, texts that are none, rows that lack a half and texts that several samples have are named
    with file and line, and counted.

    Args:
        split: "train", "test", or "validation" where the table has it.
        modalities: What the samples have, by name.
        path: The table.
        columns: The column of each modality, or several of them: ``{ image = "path", text = ["short", "long"] }``.
        root: The folder that paths in the table begin in. Absent: the table's own.
        read: How files are read, by modality: ``{ image = { decode_size = 256 } }``.
        sample_column: The column that names a row's sample. Absent: rows that name one file are one sample.
        label_column: The column of classes; absent: there are none. A row without one is trained on.
        group_column: The column of what must not be on both sides of the split, or several: ``["word", "speaker"]``
            keeps both on one side. Absent: no text is on both. No file ever is.
        split_column: The column of splits: "train", "test", "validation". Absent: a seeded split.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        longest_text: Characters of a text; a longer one cannot be used.
        encoding: Of the table. UTF-16 is recognised by its mark.
        header: Whether CSV and TSV begin with the names of the columns; if not, they are "1", "2", ….
        quotes: Whether double quotes hold a field of CSV and TSV together.
        test_fraction: Share of the samples held out, without ``split_column``.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a comparison.
    """

    def __init__(
        self,
        *,
        split: str = "train",
        modalities: Mapping[str, Modality],
        path: Path,
        columns: dict[str, str | tuple[str, ...]],
        root: Path | None = None,
        read: dict[str, dict[str, Any]] | None = None,
        sample_column: str | None = None,
        label_column: str | None = None,
        group_column: str | tuple[str, ...] | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        longest_text: Annotated[int, Ge(1)] = 100_000,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        how: dict[str, Any] = {"encoding": encoding, "header": header, "quotes": quotes}
        found = self.find_splits(path, split_column=split_column, fold=fold, **how)
        check_split(split, found)
        readers = file_readers(modalities, read or {})
        concepts = _several(group_column)
        table = _TableOfPairs(
            columns={name: _several(columns[name]) for name in modalities},
            files=[name for name, reader in readers.items() if reader is not None],
            root=expanded(path).parent if root is None else expanded(root),
            sample=sample_column,
            label=label_column,
            concepts=concepts,
            longest_text=longest_text,
        )
        content = read_table(path, [*table.names(), *([split_column] if split_column else [])], **how)
        by_split = None if split_column is None else rows_by_split(content, split_column, fold)
        samples, files = table.samples(content, by_split)
        parts = split_pairs(
            samples, found, files=table.files, by_concept=bool(concepts), fraction=test_fraction, seed=split_seed
        )
        every_file = sorted({path for name in table.files for of in samples for path in of.values.get(name, ())})
        known = (
            (name, of.id, of.label, parts.groups[at], sorted(of.values.items()), of.fault)
            for name, part in parts.parts.items()
            for at, of in ((at, samples[at]) for at in part.tolist())
        )
        self.version = content_version(len(samples), "samples", known, files=(table.root / file for file in every_file))
        what = content.path.name
        said = _looked_at(samples, table.root, readers)
        self.notes = (
            *_merged_notes(content, samples),
            *(note for of in files.values() for note in of.notes),
            *lacking_notes(samples, modalities, what),
            *fault_notes(samples, what),
            *repeated_notes(samples, [name for name in modalities if name not in table.files]),
            *parts.notes,
            *said,
        )
        chosen_M = parts.parts[split]
        chosen = [samples[at] for at in chosen_M]
        super().__init__(
            {name: _values(name, chosen, modalities[name], readers[name], table.root) for name in modalities},
            ids=[sample.id for sample in chosen],
            groups=[parts.groups[at] for at in chosen_M],
            classes=parts.classes,
            labels=None if parts.labels is None else parts.labels[chosen_M],
            faults={at: SampleError(sample.where, sample.fault) for at, sample in enumerate(chosen) if sample.fault},
        )

    @classmethod
    def find_modalities(cls, columns: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The modalities of the samples with these parameters, in the order of their names."""
        return tuple(sorted(map(str, columns))) if isinstance(columns, Mapping) else ()

    @classmethod
    def find_splits(cls, path: Any = "", **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return table_splits(path, parameters)


@dataclass(frozen=True)
class _TableOfPairs:
    """What the columns of a table are."""

    columns: Mapping[str, tuple[str, ...]]
    files: Sequence[str]
    root: Path
    sample: str | None
    label: str | None
    concepts: tuple[str, ...]
    longest_text: int

    def names(self) -> list[str]:
        """Those that have to be there."""
        of_values = [name for names in self.columns.values() for name in names]
        return [*of_values, *self.concepts, *(name for name in (self.sample, self.label) if name is not None)]

    def samples(
        self, table: Table, by_split: Mapping[str, np.ndarray] | None
    ) -> tuple[list[PairSample], dict[str, NamedFiles]]:
        """The samples, and the files of each modality that has some."""
        split_of: dict[int, str] = {}
        for name, rows in (by_split or {}).items():
            split_of |= dict.fromkeys(rows.tolist(), name)
        pairs = [self._row(table, row, split_of.get(at)) for at, row in enumerate(table.rows)]
        files = {}
        for name in self.files:
            named = [
                (row, path) for row, pair in zip(table.rows, pairs, strict=True) for path in pair.values.get(name, ())
            ]
            if not named:
                continue
            paths, of_paths = [path for _, path in named], [row for row, _ in named]
            files[name] = table_files(self.root, paths, table, f"files of {name}", of_paths)
            on_disk = iter(files[name].paths)
            pairs = [
                replace(pair, values={**pair.values, name: [next(on_disk) for _ in pair.values[name]]})
                if name in pair.values
                else pair
                for pair in pairs
            ]
        if all(pair.fault for pair in pairs):
            raise CoviewError(f"{table.path}: no row can be used; {pairs[0].where}: {pairs[0].fault}")
        missing = {name: of.missing for name, of in files.items() if of.missing}
        return [self._without(missing, sample) for sample in samples_of(pairs, self.files)], files

    def _row(self, table: Table, row: TableRow, split: str | None) -> PairRow:
        where = table.where(row)
        try:
            values = {name: list(self._cells(row, name)) for name in self.columns}
            sample, label = (None if name is None else row.name(name) for name in (self.sample, self.label))
            concepts: list[Key] = [(name, of) for name in self.concepts if (of := row.name(name)) is not None]
        except ValueError as error:
            return PairRow(where, split=split, fault=str(error))
        values = {name: found for name, found in values.items() if found}
        if not values:
            return PairRow(where, split=split, fault="has nothing of any modality")
        if self.sample is not None and sample is None:
            return PairRow(where, split=split, fault=f'no "{self.sample}"')
        return PairRow(where, values, sample, label, concepts, split)

    def _cells(self, row: TableRow, modality: str) -> Iterator[str]:
        """What a row has of a modality: each is a path or a text."""
        for name in self.columns[modality]:
            cell = row.values.get(name)
            for value in cell if isinstance(cell, list) else [cell]:
                if value is None or (isinstance(value, str) and not value.strip()) or value != value:
                    continue
                if not isinstance(value, str):
                    raise ValueError(f'"{name}" holds no text but the {type(value).__name__} {str(value)[:40]}')
                if modality not in self.files and len(value) > self.longest_text:
                    raise ValueError(f'"{name}" has {len(value):,} characters, more than {self.longest_text:,}')
                yield value

    def _without(self, missing: Mapping[str, frozenset[str]], sample: PairSample) -> PairSample:
        """The sample without files that are not there; it cannot be used if none of a modality is."""
        for name, paths in missing.items():
            named = sample.values.get(name, ())
            there = [path for path in named if path not in paths]
            if named and not there:
                return replace(sample, values={}, fault=f"there is no such file as {self.root / named[0]}")
            if len(there) < len(named):
                sample = replace(sample, values={**sample.values, name: there})
        return sample


def _several(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if columns is None else (columns,) if isinstance(columns, str) else tuple(columns)


def _looked_at(samples: Sequence[PairSample], root: Path, readers: Mapping[str, FileReader | None]) -> list[str]:
    """What the readers say of a few files, the same ones for each split."""
    said: list[str] = []
    for name, reader in readers.items():
        if reader is not None:
            paths = sorted({path for sample in samples for path in sample.values.get(name, ())})
            chosen = [paths[at] for at in evenly(len(paths), _EXAMPLES)]
            said += reader.look_at([(path, root / path) for path in chosen])
    return said


def _merged_notes(table: Table, samples: Sequence[PairSample]) -> tuple[str, ...]:
    if len(samples) == len(table.rows):
        return ()
    return (f"the {len(table.rows):,} rows of {table.path.name} are {len(samples):,} samples",)


def _values(
    name: str, samples: Sequence[PairSample], modality: Modality, reader: FileReader | None, root: Path
) -> Values:
    """The values of one modality of some samples."""
    found = [sample.values.get(name, ()) for sample in samples]
    counts_N, texts = np.array([len(of) for of in found], dtype=np.int64), [text for of in found for text in of]
    if reader is not None:
        return Values(counts_N, FileValues(root, texts, reader))
    assert isinstance(modality, ReadsTyped)
    return Values(counts_N, TypedValues(texts, modality))
