"""Which sound files there are, and what is known about them, from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import coview


def list_table(table: Path, *, path_column: str, label_column: str, group_column: str | None) -> coview.FileListing:
    """The files that a CSV or TSV table names, whether they are there or not: that shows when they are read.

    Raises:
        CoviewError: If the table cannot be read, lacks a column, or has no rows.
    """
    rows = coview.read_table(table, [name for name in (path_column, label_column, group_column) if name])
    rows.sort(key=lambda row: row[path_column])
    names = [row[label_column] for row in rows]
    classes = tuple(sorted(set(names)))
    place = {name: index for index, name in enumerate(classes)}
    groups = None if group_column is None else [row[group_column] for row in rows]
    return coview.FileListing(
        [row[path_column] for row in rows], classes, np.array([place[name] for name in names]), groups
    )
