"""Tables of the user's: CSV, TSV, JSONL and Parquet, read strictly, so that no row and no part of one is lost."""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from coview.data.swallowed_lines import has_swallowed_rows
from coview.data.text_file import read_text
from coview.errors import CoviewError
from coview.plugins.home import expanded
from coview.plugins.nearest import did_you_mean

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_OBJECTS = (".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")
_ENDINGS = ", ".join((*_DELIMITERS, *_OBJECTS)) + " (each also with .gz) or .parquet"
_ROWS_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table.

    Attributes:
        line: Where it begins in the file, from 1; of Parquet, which has no lines, its number.
        values: Column to value: texts of CSV and TSV, whatever there is of JSONL and Parquet.
    """

    line: int
    values: Mapping[str, Any]

    def name(self, column: str) -> str | None:
        """A value as the name of a class, a group or a split: composed (NFC), 3.0 as "3"; None where there is nothing.

        Raises:
            ValueError: If it is a list, or something else that is not a name.
        """
        value = self.values.get(column)
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, str | int | float):
            raise ValueError(f'"{column}" holds {str(value)[:40]}, and has to hold one text or number')
        return unicodedata.normalize("NFC", str(value))


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        path: Its file.
        columns: The names of its columns.
        rows: At least one.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[TableRow]

    def where(self, row: TableRow) -> str:
        """The file and the line of a row."""
        return f"{self.path.name}:{row.line}"

    def names(self, column: str) -> list[str]:
        """A column of classes, groups or splits: see :meth:`TableRow.name`.

        Raises:
            CoviewError: If a row has none, with the first of them.
        """
        found = self._names(column)
        lacking = [row for row, name in zip(self.rows, found, strict=True) if name is None]
        if lacking:
            share = f"{len(lacking):,} of {len(self.rows):,} rows"
            raise CoviewError(
                f'{self.path}:{lacking[0].line}: {share} have nothing in "{column}"',
                hint="fill them in, or remove the rows",
            )
        return [name for name in found if name is not None]

    def class_names(self, column: str) -> list[str | None]:
        """A column of classes, None for a row without one: such rows are to train on, and count in no measurement.

        Raises:
            CoviewError: If no row has one.
        """
        found = self._names(column)
        if all(name is None for name in found):
            raise CoviewError(
                f'{self.path}: none of the {len(found):,} rows has a class in "{column}"',
                hint="name another column, or none for data without classes",
            )
        return found

    def _names(self, column: str) -> list[str | None]:
        found = []
        for row in self.rows:
            try:
                found.append(row.name(column))
            except ValueError as error:
                raise CoviewError(f"{self.path}:{row.line}: {error}") from error
        return found


def read_table(
    path: Path, columns: Sequence[str], *, encoding: str = "utf-8", header: bool = True, quotes: bool = True
) -> Table:
    """A table, by the ending of its file: CSV (``.csv``, separated by commas, or by semicolons if its header is), TSV
    (``.tsv``, ``.tab``), JSONL (``.jsonl``, ``.ndjson``), each also packed (``.csv.gz``), or Parquet (``.parquet``).

    Nothing is cut off and nothing is skipped but blank lines: a row with more or fewer fields than the header, and
    a quote that is not closed, are refused.

    Args:
        path: The file.
        columns: Those that have to be there.
        encoding: Of what is text. UTF-16 is recognised by its mark.
        header: Whether the first line of CSV and TSV names the columns; if not, they are called "1", "2", ….
        quotes: Whether a field of CSV and TSV may stand in double quotes, and hold the separator and new lines then. If
            not, quotes are characters as others.

    Raises:
        CoviewError: With file and line, if the table cannot be read, lacks a column, or has no rows.
    """
    path = expanded(path)
    ending = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    if path.suffix.lower() in _PARQUET:
        names, rows = _parquet(path, columns)
    elif ending in _OBJECTS:
        names, rows = _objects(path, read_text(path, encoding))
    elif ending in _DELIMITERS:
        names, rows = _fields(path, read_text(path, encoding), _DELIMITERS[ending], header=header, quotes=quotes)
    else:
        raise CoviewError(f"{path}: the ending of a table has to be {_ENDINGS}")
    for column in columns:
        if column not in names and (rows or ending in _DELIMITERS):
            hint = f"its columns are {', '.join(names)}" if names else "it is empty"
            raise CoviewError(f'{path} has no column "{column}"{did_you_mean(column, names)}', hint=hint)
        if names.count(column) > 1:
            raise CoviewError(f'{path} has several columns "{column}"')
    if not rows:
        raise CoviewError(f"{path} has no rows")
    return Table(path, tuple(names), rows)


def _fields(path: Path, text: str, delimiter: str, *, header: bool, quotes: bool) -> tuple[list[str], list[TableRow]]:
    first_line = text.partition("\n")[0]
    if delimiter == "," and ";" in first_line and "," not in first_line:
        delimiter = ";"
    records = list(_records(path, text, delimiter, quotes=quotes))
    if not records:
        return [], []
    names = records.pop(0)[2] if header else [str(number + 1) for number in range(len(records[0][2]))]
    _check_counts(path, records, len(names), delimiter, whose="the header" if header else "the first line")
    if quotes and any(last > first for first, last, _ in records):
        _check_swallowed(path, text.split("\n"), records, delimiter, len(names))
    return names, [TableRow(first, dict(zip(names, fields, strict=True))) for first, _, fields in records]


def _records(path: Path, text: str, delimiter: str, *, quotes: bool) -> Iterator[tuple[int, int, list[str]]]:
    """The first and the last line of each record, and its fields; blank lines are skipped."""
    csv.field_size_limit(2**31 - 1)
    lines = io.StringIO(text)
    if quotes:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise _quote_error(path, line, reader.line_num, error) from error
        if fields is None:
            return
        if fields:
            yield line, reader.line_num, fields


def _quote_error(path: Path, first: int, last: int, error: csv.Error) -> CoviewError:
    if "unexpected end" in str(error):
        fault = f"a quote opens in this row and is not closed: the file ends on line {last} within it"
    elif "expected after" in str(error):
        until = "" if last == first else f", which was opened on line {first},"
        first, fault = last, f"a field goes on after its closing quote{until} with no separator"
    else:
        fault = str(error)
    return CoviewError(f"{path}:{first}: {fault}", hint=_QUOTES)


_QUOTES = (
    'a quote within a quoted field is written twice ("say ""hi"""); where quotes mean nothing in the file, as in many '
    "TSV files, give quotes = false"
)


def _check_counts(
    path: Path, records: Sequence[tuple[int, int, list[str]]], columns: int, delimiter: str, *, whose: str
) -> None:
    wrong = [(line, len(fields)) for line, _, fields in records if len(fields) != columns]
    if wrong:
        line, count = wrong[0]
        more = f"; {len(wrong):,} of {len(records):,} rows have another number" if len(wrong) > 1 else ""
        separator = {"\t": "tab", ",": "comma", ";": "semicolon"}[delimiter]
        fields = f"{count} field{'s' * (count != 1)}"
        raise CoviewError(
            f"{path}:{line}: {fields} where {whose} has {columns}{more}",
            hint=f'a text with a {separator} in it has to be in double quotes: "a{delimiter} b"',
        )


def _check_swallowed(
    path: Path, lines: Sequence[str], records: Sequence[tuple[int, int, list[str]]], delimiter: str, columns: int
) -> None:
    others = list(islice((fields for first, last, fields in records if last == first), _ROWS_LOOKED_AT))
    for first, last, _ in records:
        if last > first and has_swallowed_rows(lines[first - 1 : last], delimiter, columns, others):
            raise CoviewError(
                f"{path}:{first}: a quote opens in this row and closes on line {last}, and each of the "
                f"{last - first + 1} lines looks like a row of its own: is the quote never closed?",
                hint=_QUOTES,
            )


def _objects(path: Path, text: str) -> tuple[list[str], list[TableRow]]:
    rows = []
    names: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CoviewError(
                f"{path}:{number}: this is not JSON: {error}", hint="each line has to be a JSON object"
            ) from error
        if not isinstance(values, dict):
            raise CoviewError(f"{path}:{number}: this is not a JSON object but {line.strip()[:40]}")
        names.update(values.keys())
        rows.append(TableRow(number, values))
    return list(names), rows


def _parquet(path: Path, columns: Sequence[str]) -> tuple[list[str], list[TableRow]]:
    try:
        import pyarrow  # of an extra, and it costs start-up time
        import pyarrow.parquet  # likewise
    except ModuleNotFoundError as error:
        raise CoviewError(f"{path}: Parquet needs the package pyarrow", hint="pip install pyarrow") from error
    if not path.is_file():
        raise CoviewError(f"{path}: {'it is a folder' if path.is_dir() else 'no such file'}")
    try:
        names = list(pyarrow.parquet.read_schema(path).names)
        wanted = [name for name in dict.fromkeys(columns) if name in names]
        table = pyarrow.parquet.read_table(path, columns=wanted)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise CoviewError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())[:200]}") from error
    return names, [TableRow(number, values) for number, values in enumerate(table.to_pylist(), start=1)]
