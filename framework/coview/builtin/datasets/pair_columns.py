"""What the columns of a table of pairs are, and the samples that its rows make."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coview.builtin.datasets.pairs import Key, PairRow, PairSample, samples_of
from coview.data.table_file import Table, TableRow
from coview.data.table_paths import table_files
from coview.errors import CoviewError


@dataclass(frozen=True)
class PairColumns:
    """The columns.

    Attributes:
        values: Those of each modality.
        files: The modalities whose cells name files.
        sample: That of the names of samples; None where files tell what one sample is.
        label: That of classes; None where there are none.
        concepts: Those of what must not cross a split.
        negatives: A modality and the columns of its hard negatives; None where there are none.
        longest_text: Characters of a text, at most.
    """

    values: Mapping[str, tuple[str, ...]]
    files: Collection[str]
    sample: str | None
    label: str | None
    concepts: tuple[str, ...]
    negatives: tuple[str, tuple[str, ...]] | None
    longest_text: int

    @property
    def negatives_of(self) -> str | None:
        """The modality of hard negatives; None where there are none."""
        return None if self.negatives is None else self.negatives[0]

    def names(self) -> list[str]:
        """Those that have to be there."""
        found = [name for names in self.values.values() for name in names]
        found += () if self.negatives is None else self.negatives[1]
        return [*found, *self.concepts, *(name for name in (self.sample, self.label) if name is not None)]

    def in_files(self) -> dict[str, tuple[str, ...]]:
        """Those whose cells name files, by modality, hard negatives included."""
        modality, negatives = self.negatives or ("", ())
        return {name: (*self.values[name], *(negatives if name == modality else ())) for name in self.files}

    def row(self, where: str, row: TableRow, split: str | None) -> PairRow:
        """What a row says of its sample.

        Args:
            where: Names it in messages.
            row: The row.
            split: Which split it belongs to; None where that is drawn.
        """
        try:
            values = {
                name: found
                for name, columns in self.values.items()
                if (found := list(self._cells(row, columns, is_text=name not in self.files)))
            }
            sample, label = (None if name is None else row.name(name) for name in (self.sample, self.label))
            concepts: list[Key] = [(name, of) for name in self.concepts if (of := row.name(name)) is not None]
            modality, columns = self.negatives or ("", ())
            negatives = list(self._cells(row, columns, is_text=modality not in self.files))
        except ValueError as error:
            return PairRow(where, split=split, fault=str(error))
        fault = ""
        if not values:
            fault = "has no value of any modality"
        elif self.sample is not None and sample is None:
            fault = f'no "{self.sample}"'
        if fault:
            return PairRow(where, split=split, fault=fault)
        return PairRow(where, values, sample, label, concepts, split, negatives)

    def _cells(self, row: TableRow, columns: Sequence[str], *, is_text: bool) -> Iterator[str]:
        """What a row has in some columns: each is the name of a file, or a text."""
        for name in columns:
            cell = row.values.get(name)
            for value in cell if isinstance(cell, list) else [cell]:
                if value is None or (isinstance(value, str) and not value.strip()) or value != value:
                    continue
                if not isinstance(value, str):
                    raise ValueError(
                        f'"{name}" holds the {type(value).__name__} {str(value)[:40]}, which is not a text'
                    )
                if is_text and len(value) > self.longest_text:
                    raise ValueError(f'"{name}" has {len(value):,} characters, more than {self.longest_text:,}')
                if is_text and not _is_unicode(value):
                    raise ValueError(f'"{name}" holds half of a character (a lone surrogate)')
                yield value


def samples_of_table(
    table: Table, columns: PairColumns, root: Path, by_split: Mapping[str, np.ndarray] | None
) -> tuple[list[PairSample], tuple[str, ...]]:
    """The samples of all rows, in the order of their ids, and what to say about their files.

    Args:
        table: The table.
        columns: Which of its columns are what.
        root: The folder that paths begin in.
        by_split: The rows of each split; None where the table does not say.

    Raises:
        CoviewError: If no sample can be used, no file of a modality is there, or rows of one sample contradict each
            other.
    """
    split_of = {at: name for name, of_split in (by_split or {}).items() for at in of_split.tolist()}
    rows = [columns.row(table.where(row), row, split_of.get(at)) for at, row in enumerate(table.rows)]
    notes: list[str] = []
    missing: dict[str, frozenset[str]] = {}
    for name in columns.files:
        named = [row.values.get(name, ()) for row in rows]
        found, missing[name], said = _on_disk(root, table, named, name)
        notes += said
        both = zip(rows, found, strict=True)
        rows = [replace(row, values={**row.values, name: of}) if of else row for row, of in both]
    if columns.negatives_of in columns.files:
        found, lost, said = _on_disk(root, table, [row.negatives for row in rows], "hard negatives")
        notes += said
        there = [[path for path in of if path not in lost] for of in found]
        rows = [replace(row, negatives=of) for row, of in zip(rows, there, strict=True)]
    refuse_unusable(rows, str(table.path))
    return [_without(root, missing, sample) for sample in samples_of(rows, columns.files)], tuple(notes)


def refuse_unusable(rows: Sequence[PairRow], what: str) -> None:
    """Raises :class:`CoviewError` if no sample can be used."""
    if all(row.fault for row in rows):
        raise CoviewError(f"{what}: no sample can be used; {rows[0].where}: {rows[0].fault}")


def columns_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """The names of one column, of several, or of none."""
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def negatives_of(
    key: str, given: Mapping[str, str | Sequence[str]] | None, modalities: Collection[str]
) -> tuple[str, tuple[str, ...]] | None:
    """The modality of hard negatives, and their columns.

    Args:
        key: What a recipe calls it.
        given: What it says.
        modalities: Those of the samples.

    Raises:
        ValueError: If there are several, or the samples do not have it.
    """
    if not given:
        return None
    (modality, columns), *others = given.items()
    if others or modality not in modalities:
        raise ValueError(f"{key} has to be of one of {', '.join(modalities)}, got {', '.join(given)}")
    return modality, columns_of(columns)


def _is_unicode(text: str) -> bool:
    """Whether it can be written; JSON can name a half of a character that has two in UTF-16."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _on_disk(
    root: Path, table: Table, paths: Sequence[Sequence[str]], what: str
) -> tuple[list[list[str]], frozenset[str], Sequence[str]]:
    """Of each row its paths as they are on disk; those that are not there; and what to say about them."""
    lines = [line for line, of_row in zip(table.rows, paths, strict=True) for _ in of_row]
    if not lines:
        return [[] for _ in paths], frozenset(), ()
    files = table_files(root, [path for of_row in paths for path in of_row], table, f"files of {what}", lines)
    there = iter(files.paths)
    return [[next(there) for _ in of_row] for of_row in paths], files.missing, files.notes


def _without(root: Path, missing: Mapping[str, frozenset[str]], sample: PairSample) -> PairSample:
    """The sample without files that are not there; it cannot be used if none of a modality is."""
    for name, paths in missing.items():
        named = sample.values.get(name, ())
        there = [path for path in named if path not in paths]
        if named and not there:
            return replace(sample, values={}, negatives=(), fault=f"there is no such file as {root / named[0]}")
        if len(there) < len(named):
            sample = replace(sample, values={**sample.values, name: there})
    return sample
