"""Files that a table names, with their classes, groups and splits: in place of folders."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.class_folders import FileKind, FileListing, some_of
from coview.data.content_version import content_version
from coview.data.split import seeded_split, split_notes
from coview.data.split_column import rows_by_split, table_splits
from coview.data.table_file import read_table
from coview.data.table_paths import table_files


@dataclass(frozen=True)
class TableOfFiles:
    """A table of files, as a data set's parameters describe it.

    Attributes:
        table: The file: see :func:`coview.read_table`.
        path: The column of paths, relative to the data's folder.
        label: The column of classes; empty if there is none.
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
        # paths are no names: they are taken as they are
        table.names(self.path)
        files = table_files(root, [str(row.values[self.path]) for row in table.rows], table, kind.files)
        paths = files.paths
        names = table.names(self.label) if self.label else None
        groups = None if self.group is None else table.names(self.group)
        order = sorted(range(len(paths)), key=lambda row: paths[row])
        classes, labels = _classes(names)
        whole = FileListing(paths, classes, labels, groups).rows(order)
        if self.split is None:
            train, test = seeded_split(
                len(paths), fraction=fraction, seed=seed, labels=whole.labels, groups=whole.groups
            )
            parts = {"train": train, "test": test}
        else:
            place = np.argsort(order)
            parts = {name: np.sort(place[rows]) for name, rows in rows_by_split(table, self.split, self.fold).items()}
        rows = [
            (
                name,
                whole.paths[row],
                None if classes is None or whole.labels is None else classes[whole.labels[row]],
                None if whole.groups is None else whole.groups[row],
            )
            for name, chosen in parts.items()
            for row in chosen
        ]
        version = content_version(len(rows), "files", rows, files=(os.path.join(root, path) for _, path, _, _ in rows))
        said = (
            ()
            if self.split is not None
            else split_notes(
                parts["train"],
                parts["test"],
                fraction=fraction,
                labels=whole.labels,
                classes=classes,
                groups=whole.groups,
            )
        )
        examples = some_of([path for _, path, _, _ in rows])
        found = whole.rows(parts[split])
        return replace(
            found,
            version=version,
            notes=(*files.notes, *said),
            examples=examples,
            unreadable=files.unreadable(found.paths),
        )


def _classes(names: list[str] | None) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    if names is None:
        return None, None
    classes = class_order(names)
    place = {name: index for index, name in enumerate(classes)}
    return classes, np.array([place[name] for name in names])


def class_order(names: list[str]) -> tuple[str, ...]:
    """The names of classes, each once, sorted: as numbers where all are whole numbers."""
    try:
        return tuple(sorted(set(names), key=int))
    except ValueError:
        return tuple(sorted(set(names)))
