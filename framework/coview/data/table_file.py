"""Tables that say what is known about files: CSV and TSV with a header."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean


def read_table(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table in UTF-8, by column; tab-separated if its name ends in ``.tsv``, else comma-separated.

    Args:
        table: The file.
        columns: Those that have to be there, with something in every row.

    Raises:
        CoviewError: If the table cannot be read, lacks a column or a value in one, or has no rows.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if table.suffix.lower() == ".tsv" else ",")
            header = list(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CoviewError(f"{table} cannot be read as a table in UTF-8: {error}") from error
    for column in columns:
        if column not in header:
            hint = f"it has {', '.join(header)}" if header else "it is empty"
            raise CoviewError(f'{table} has no column "{column}"{did_you_mean(column, header)}', hint=hint)
        lacking = [number for number, row in enumerate(rows, start=1) if not row[column]]
        if lacking:
            raise CoviewError(f'{table}: {len(lacking)} of {len(rows)} rows have nothing in "{column}"')
    if not rows:
        raise CoviewError(f"{table} has no rows")
    return rows
