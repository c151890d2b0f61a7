"""Files that a table names, with their classes, groups and splits: in place of folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.class_folders import FileKind, FileListing, part_of_all, split_listing
from coview.data.split import check_split, split_notes
from coview.data.split_column import rows_by_split, table_splits
from coview.data.table_file import read_table
from coview.data.table_paths import table_files


@dataclass(frozen=True)
class TableOfFiles:
    """A table of files, as a data set's parameters describe it.

    Attributes:
        table: The file: see :func:`coview.read_table`.
        path: The column of paths, relative to the data's folder.
        label: The column of classes; empty if there is none. A row without a class is one to train on.
        group: The column of what must not be on both sides of a seeded split.
        split: The column that says which split a row belongs to; None for a seeded split.
        fold: The value of that column whose rows are the test split; None if its values name splits.
        encoding, header, quotes: As of :func:`coview.read_table`.
    """

    table: Path
    path: str = "path"
    label: str = "label"
    group: str | None = None
    split: str | None = None
    fold: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    quotes: bool = True

    @property
    def _how(self) -> dict[str, Any]:
        return {"encoding": self.encoding, "header": self.header, "quotes": self.quotes}

    def splits(self) -> tuple[str, ...]:
        """The splits that there are."""
        return table_splits(self.table, {"split_column": self.split, "fold": self.fold, **self._how})

    def listing(self, root: Path, kind: FileKind, split: str, *, fraction: float, seed: int) -> FileListing:
        """The files of a split.

        Args:
            root: The folder that paths begin in.
            kind: What they are.
            split: Which split.
            fraction: Share held out, without a column of splits.
            seed: Of that split.

        Raises:
            CoviewError: If the table cannot be read, lacks a column or a value in one, or names no file that is there.
        """
        columns = [name for name in (self.path, self.label, self.group, self.split) if name]
        table = read_table(self.table, columns, **self._how)
        # paths are not names: they are taken as they are
        table.names(self.path)
        files = table_files(root, [str(row.values[self.path]) for row in table.rows], table, kind.files)
        paths = files.paths
        names = table.class_names(self.label) if self.label else None
        groups = None if self.group is None else table.names(self.group)
        order = sorted(range(len(paths)), key=lambda row: paths[row])
        classes, labels = _classes(names)
        whole = FileListing(paths, classes, labels, groups).rows(order)
        if self.split is None:
            parts = whole.parts(fraction=fraction, seed=seed)
        else:
            place, by_split = np.argsort(order), rows_by_split(table, self.split, self.fold)
            of_split = {name: np.sort(place[rows]) for name, rows in by_split.items()}
            said = split_notes(of_split["train"], of_split["test"], labels=whole.labels, classes=classes)
            whole = replace(whole, notes=said)
            parts = {name: whole.rows(rows) for name, rows in of_split.items()}
        notes = (*files.notes, *parts["train"].notes)
        found = part_of_all(root, parts, split, notes, with_groups=True)
        return replace(found, unreadable=files.unreadable(found.paths))


def file_listing(
    root: Path, kind: FileKind, split: str, table: TableOfFiles | None, *, fraction: float, seed: int
) -> FileListing:
    """The files of a split, by a table where there is one, else by subfolders.

    Args:
        root: The folder that paths begin in.
        kind: What the files are.
        split: Which split.
        table: Names the files; None for :func:`coview.split_listing`.
        fraction: Share held out, where the data have no splits of their own.
        seed: Of that split.

    Raises:
        CoviewError: As :func:`coview.split_listing` and :meth:`TableOfFiles.listing`.
        ValueError: If there is no such split.
    """
    check_split(split, kind.splits_of(root) if table is None else table.splits())
    if table is None:
        return split_listing(root, kind, split, fraction=fraction, seed=seed)
    return table.listing(root, kind, split, fraction=fraction, seed=seed)


def _classes(names: list[str | None] | None) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    if names is None:
        return None, None
    classes = class_order(name for name in names if name is not None)
    place = {name: index for index, name in enumerate(classes)}
    return classes, np.array([-1 if name is None else place[name] for name in names])


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names of classes, each once, sorted: as numbers where all are whole numbers."""
    each = set(names)
    try:
        return tuple(sorted(each, key=int))
    except ValueError:
        return tuple(sorted(each))
