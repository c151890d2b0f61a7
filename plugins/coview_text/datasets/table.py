"""CSV, TSV and JSONL files with named columns."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.rows import Row, TextRows, class_names, own_split, read_text, version_of

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


class TextTable(TextRows):
    """A CSV or TSV file with a header, or a JSONL file with an object a line.

    A row without text, label or score where a column is named for it, or that cannot be read, is skipped, named and
    counted.

    Args:
        split: "train" or "test".
        path: The file, ending in .csv, .tsv, .tab, .jsonl or .ndjson.
        text: The column of the texts.
        label: The column of the classes. Absent: none.
        score: The column of numbers that people have given. Absent: none.
        group: The column of what must not cross the split, such as an author. Absent: equal texts do not cross.
        test_path: The file of the test split, with the same columns. Absent: a part of ``path``.
        encoding: Of the files.
        test_fraction: Share of the rows held out, without ``test_path``.
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
        test_path: Path | None = None,
        encoding: str = "utf-8",
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        columns = _Columns(text, label, score, group)
        rows = columns.rows(path, encoding)
        classes = class_names(rows)
        if test_path is None:
            rows = own_split(rows, split, fraction=test_fraction, seed=split_seed, what=str(path))
        elif split == "test":
            rows = columns.rows(test_path, encoding)
            unknown = sorted(set(class_names(rows) or ()) - set(classes or ()))
            if unknown:
                raise coview.CoviewError(f"{test_path}: the classes {', '.join(unknown[:5])} are not in {path}")
        super().__init__(rows, classes)
        self.version = version_of(rows)


@dataclass(frozen=True)
class _Columns:
    text: str
    label: str | None
    score: str | None
    group: str | None

    def rows(self, path: Path, encoding: str) -> list[Row]:
        content = read_text(path, encoding, "text_table")
        if path.suffix.lower() in (".jsonl", ".ndjson"):
            records = _json_records(content)
        elif delimiter := _DELIMITERS.get(path.suffix.lower()):
            records = self._table_records(content, delimiter, path)
        else:
            raise coview.CoviewError(f"text_table: {path}: the ending has to be .csv, .tsv, .tab, .jsonl or .ndjson")
        rows = [self._row(f"{path.name}:{line}", record, fault) for line, record, fault in records]
        if not rows:
            raise coview.CoviewError(f"text_table: {path} has no rows")
        if all(row.fault for row in rows):
            raise coview.CoviewError(f"text_table: no row of {path} can be used; {rows[0].id}: {rows[0].fault}")
        return rows

    def _named(self) -> list[str]:
        return [name for name in (self.text, self.label, self.score, self.group) if name is not None]

    def _table_records(self, content: str, delimiter: str, path: Path) -> Iterator[tuple[int, dict[str, Any], str]]:
        csv.field_size_limit(2**31 - 1)
        reader = csv.reader(io.StringIO(content), delimiter=delimiter)
        header = next(reader, [])
        for name in self._named():
            if name not in header:
                raise coview.CoviewError(
                    f'{path}: there is no column "{name}"{coview.did_you_mean(name, header)} '
                    f"(columns: {', '.join(header) or 'none'})"
                )
        while True:
            line = reader.line_num + 1
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield line, {}, str(error)
                continue
            if fields is None:
                return
            if not fields:
                continue
            count = f"{len(fields)} fields where the header has {len(header)}"
            yield line, dict(zip(header, fields, strict=False)), "" if len(fields) == len(header) else count

    def _row(self, identity: str, record: Mapping[str, Any], fault: str) -> Row:
        if not fault:
            fault = next((f'no "{name}"' for name in self._named() if record.get(name) in (None, "")), "")
        text = record.get(self.text)
        if not fault and not isinstance(text, str):
            fault = f'"{self.text}" is no text but {json.dumps(text)[:40]}'
        if not fault and not str(text).strip():
            fault = "the text is empty"
        score = None
        if not fault and self.score is not None:
            score = _number(record[self.score])
            if score is None:
                fault = f'"{self.score}" is no number: {record[self.score]!r}'
        if fault:
            return Row("", identity, fault=fault)
        label = None if self.label is None else str(record[self.label])
        group = None if self.group is None else str(record[self.group])
        return Row(str(text), identity, label, score, group)


def _json_records(content: str) -> Iterator[tuple[int, dict[str, Any], str]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, {}, f"no JSON: {error}"
            continue
        if isinstance(record, dict):
            yield number, record, ""
        else:
            yield number, {}, "no JSON object"


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
