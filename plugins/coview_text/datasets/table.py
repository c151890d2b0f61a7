"""Tables with named columns: CSV, TSV, JSONL and Parquet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.judged import judged_split, judged_texts
from coview_text.datasets.rows import (
    JOINED,
    Row,
    TextRows,
    class_names,
    fault_notes,
    own_split,
    text_of,
    version_of,
)


class TextTable(TextRows):
    """A CSV or TSV file, a JSONL file with an object a line, or a Parquet file.

    The file is read strictly: a row with more or fewer fields than the header, or a quote that is never closed, is
    refused with its line. A row without a label is trained on, and left out of what needs a class; one without text,
    group or score where a column is named for it is skipped, named and counted. A text may be a list of tokens, which
    are joined by spaces. With ``pair`` every row is two texts, whose similarity people have judged: the samples are
    the texts of both columns, each once, and the judgements are what the evaluator ``similarity`` looks at.

    Args:
        split: "train", "test", or "validation" where ``validation_path`` is given or ``split_column`` has it.
        path: The file, ending in .csv, .tsv, .tab, .jsonl or .ndjson, each also with .gz, or in .parquet.
        text: The column of the texts. Without a header columns are called "1", "2", ….
        label: The column of the classes; a row without one is trained on. Absent: none.
        score: The column of numbers that people have given, to a text or to a pair. Absent: none.
        group: The column of what must not cross the split, such as an author. Absent: equal texts do not cross.
        pair: The column of a second text, which ``score`` compares with the first. Absent: none.
        split_column: The column of splits: "train", "test", "validation". Absent: none.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        test_path: The file of the test split, with the same columns. Absent: a part of ``path``.
        validation_path: The file of the validation split, with the same columns: curves are measured on it, and what is
            chosen is chosen by it. Absent: a part of the training split does so.
        encoding: Encoding of the files. UTF-16 is recognised by its mark.
        header: Whether CSV and TSV begin with the names of the columns.
        quotes: Whether double quotes hold a field of CSV and TSV together. In many TSV files they are characters as
            others.
        test_fraction: Share of the rows held out, without ``test_path`` and ``split_column``.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a comparison.
    """

    def __init__(
        self,
        *,
        split: str = "train",
        path: Path,
        text: str = "text",
        label: str | None = None,
        score: str | None = None,
        group: str | None = None,
        pair: str | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        test_path: Path | None = None,
        validation_path: Path | None = None,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        if pair is not None and (score is None or label is not None or group is not None):
            raise ValueError("pair needs score, the column of the judgements, and takes no label and no group")
        given = {"test": test_path, "validation": validation_path}
        files = {name: file for name, file in given.items() if file is not None}
        if split_column is not None and files:
            raise ValueError(f"give split_column or {next(iter(files))}_path, and not both")
        how: dict[str, Any] = {"encoding": encoding, "header": header, "quotes": quotes}
        parameters = {"split_column": split_column, "fold": fold, "validation_path": validation_path}
        coview.check_split(split, self.find_splits(path, **parameters, **how))
        columns = _Columns(text, label, score, group, pair)
        table = columns.read(path, split_column, **how)
        rows, self.notes = columns.rows(table), columns.notes(table)
        if split_column is not None:
            by_split = coview.rows_by_split(table, split_column, fold)
            parts = {name: [rows[row] for row in chosen] for name, chosen in by_split.items()}
        elif test_path is not None:
            parts = {"train": rows}
        elif pair is not None:
            parts = judged_split(rows, fraction=test_fraction, seed=split_seed, what=str(path))
        else:
            parts, said = own_split(rows, fraction=test_fraction, seed=split_seed)
            self.notes += said
        for name, file in files.items():
            of_file = columns.read(file, None, **how)
            parts[name] = columns.rows(of_file)
            self.notes = self.notes or columns.notes(of_file)
        if pair is not None:
            texts, self.pairs = judged_texts(parts[split], (text, pair), str(files.get(split, _of(split, path))))
            super().__init__(texts)
        else:
            classes = class_names(rows if split_column is None else parts["train"])
            for name, part in parts.items():
                if unknown := sorted(set(class_names(part) or ()) - set(classes or ())):
                    raise coview.CoviewError(
                        f"{files.get(name, _of(name, path))}: the classes {coview.few(unknown)} are not in the "
                        f"training split of {path}"
                    )
            super().__init__(parts[split], classes)
        self.version = version_of(parts)
        self.notes = (*self.notes, *fault_notes(parts))

    @classmethod
    def find_splits(cls, path: Any = "", validation_path: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        if validation_path is not None:
            return ("train", "validation", "test")
        return coview.table_splits(path, parameters)


def _of(split: str, path: Path) -> str:
    return f"the {split} split of {path}"


@dataclass(frozen=True)
class _Columns:
    text: str
    label: str | None
    score: str | None
    group: str | None
    pair: str | None

    def read(self, path: Path, split_column: str | None, **how: Any) -> coview.Table:
        return coview.read_table(path, [*self._named(), *([split_column] if split_column else [])], **how)

    def rows(self, table: coview.Table) -> list[Row]:
        rows = [self._row(table.where(row), row) for row in table.rows]
        if all(row.fault for row in rows):
            raise coview.CoviewError(f"text_table: no row of {table.path} can be used; {rows[0].id}: {rows[0].fault}")
        if self.label is not None and not any(row.label for row in rows if not row.fault):
            raise coview.CoviewError(
                f'{table.path}: none of the {len(rows):,} rows has a class in "{self.label}"',
                hint="name another column, or none for data without classes",
            )
        return rows

    def notes(self, table: coview.Table) -> tuple[str, ...]:
        """Says of a column of lists what becomes of them."""
        names = [name for name in (self.text, self.pair) if name is not None]
        lists = any(isinstance(row.values.get(name), list) for row in table.rows for name in names)
        return (JOINED,) if lists else ()

    def _named(self) -> list[str]:
        return [name for name in (self.text, self.pair, self.label, self.score, self.group) if name is not None]

    def _row(self, identity: str, row: coview.TableRow) -> Row:
        try:
            label, group = (None if name is None else row.name(name) for name in (self.label, self.group))
            text, second = (self._text(row.values, name) for name in (self.text, self.pair))
            score = self._score(row.values)
        except ValueError as error:
            return Row("", identity, fault=str(error))
        if self.group is not None and group is None:
            return Row("", identity, fault=f'no "{self.group}"')
        return Row(text, identity, label, score, group, second=second)

    def _text(self, values: Mapping[str, Any], name: str | None) -> str:
        if name is None:
            return ""
        if values.get(name) in (None, ""):
            raise ValueError(f'no "{name}"')
        try:
            return text_of(values[name])
        except ValueError as error:
            raise ValueError(f'"{name}" {error}') from error

    def _score(self, values: Mapping[str, Any]) -> float | None:
        if self.score is None:
            return None
        if values.get(self.score) in (None, ""):
            raise ValueError(f'no "{self.score}"')
        number = _number(values[self.score])
        if number is None:
            raise ValueError(f'"{self.score}" is not a number: {values[self.score]!r}')
        return number


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
