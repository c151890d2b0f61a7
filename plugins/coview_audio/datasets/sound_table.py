"""Which sound files there are, and what is known about them, from a table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

import coview


def list_table(table: Path, *, path_column: str, label_column: str, group_column: str | None) -> coview.FileListing:
    """The files that a CSV or TSV table names, whether they are there or not: that shows when they are read.

    Raises:
        CoviewError: If the table cannot be read, lacks a column, or has no rows.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if table.suffix.lower() == ".tsv" else ",")
            columns = list(reader.fieldnames or ())
            rows = sorted(reader, key=lambda row: row.get(path_column) or "")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise coview.CoviewError(f"{table} cannot be read as a table in UTF-8: {error}") from error
    for column in filter(None, (path_column, label_column, group_column)):
        if column not in columns:
            hint = f"it has {', '.join(columns)}" if columns else "it is empty"
            raise coview.CoviewError(
                f'{table} has no column "{column}"{coview.did_you_mean(column, columns)}', hint=hint
            )
        lacking = [number for number, row in enumerate(rows, start=1) if not row[column]]
        if lacking:
            raise coview.CoviewError(f'{table}: {len(lacking)} of {len(rows)} rows have nothing in "{column}"')
    if not rows:
        raise coview.CoviewError(f"{table} has no rows")
    names = [row[label_column] for row in rows]
    classes = tuple(sorted(set(names)))
    place = {name: index for index, name in enumerate(classes)}
    groups = None if group_column is None else [row[group_column] for row in rows]
    return coview.FileListing(
        [row[path_column] for row in rows], classes, np.array([place[name] for name in names]), groups
    )
