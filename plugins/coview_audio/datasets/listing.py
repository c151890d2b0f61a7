"""Which sound files there are, and what is known about them: from subfolders or from a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import coview
from coview_audio.decode import SUFFIXES

EXPECTED = (
    "expected are WAV, FLAC, Ogg or MP3 files in one subfolder for each class (root/dog/1.wav, root/rain/2.wav), or "
    "all directly in the folder, without classes, or a table of them as labels; either may lie in train/ and test/ "
    "(or val/)"
)


@dataclass(frozen=True)
class Listing:
    """Sound files below a folder, sorted.

    Attributes:
        paths: Relative to the folder, with ``/``.
        classes: Their names, sorted; None where there are none.
        labels: For each file its index into the classes.
        groups: For each file what must not cross a split, where that is known.
    """

    paths: list[str]
    classes: tuple[str, ...] | None
    labels: np.ndarray | None
    groups: list[str] | None = None

    def rows(self, chosen: np.ndarray) -> Listing:
        """Some of the files."""
        return Listing(
            [self.paths[i] for i in chosen],
            self.classes,
            None if self.labels is None else self.labels[chosen],
            None if self.groups is None else [self.groups[i] for i in chosen],
        )

    def in_classes(self, classes: tuple[str, ...] | None, folder: Path) -> Listing:
        """The same with labels that index the training split's classes."""
        if classes == self.classes:
            return self
        unknown = sorted(set(self.classes or ()) - set(classes or ()))
        if classes is None or self.classes is None or unknown:
            has = f"the classes {few(unknown)}" if unknown else "no class folders" if classes else "class folders"
            raise coview.CoviewError(f"{folder} has {has}, and train/ has not")
        assert self.labels is not None
        places = np.array([classes.index(name) for name in self.classes])
        return Listing(self.paths, classes, places[self.labels], self.groups)


def list_folder(folder: Path) -> Listing:
    """The files in a folder, by subfolder.

    Raises:
        CoviewError: If there are none, or it is not clear what the classes are.
    """
    entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda entry: entry.name)
    subfolders = [entry.name for entry in entries if entry.is_dir()]
    loose = [entry.name for entry in entries if entry.is_file() and is_sound(entry.name)]
    if not subfolders and not loose:
        found = f"it has {len(entries)} other files, such as {entries[0].name}" if entries else "it is empty"
        raise coview.CoviewError(f"sound folder {folder} has no sounds: {found}", hint=EXPECTED)
    if not subfolders:
        return Listing(loose, None, None)
    if loose:
        raise coview.CoviewError(
            f"sound folder {folder} has sounds of its own ({loose[0]}) beside the subfolders {few(subfolders)}: "
            "it is not clear whether the subfolders are classes",
            hint=EXPECTED,
        )
    by_class = {name: sorted(_below(folder / name, folder)) for name in subfolders}
    empty = [name for name, paths in by_class.items() if not paths]
    if empty:
        raise coview.CoviewError(f"sound folder {folder}: no sounds below {few(empty)}", hint=EXPECTED)
    if len(by_class) == 1:
        raise coview.CoviewError(
            f"sound folder {folder} has exactly one class, {subfolders[0]!r}: nothing can be told from it",
            hint=f"for sounds without classes give root = {str(folder / subfolders[0])!r}; {EXPECTED}",
        )
    return Listing(
        [path for paths in by_class.values() for path in paths],
        tuple(by_class),
        np.repeat(np.arange(len(by_class)), [len(paths) for paths in by_class.values()]),
    )


def list_table(table: Path, *, path_column: str, label_column: str, group_column: str | None) -> Listing:
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
    return Listing([row[path_column] for row in rows], classes, np.array([place[name] for name in names]), groups)


def is_sound(name: str) -> bool:
    """Whether a file's name says that it is a sound."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def few(names: list[str]) -> str:
    """The first three, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _below(folder: Path, root: Path) -> Iterator[str]:
    """Relative to the root, with ``/``; symbolic links are followed, each real folder once."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name).relative_to(root).as_posix() for name in files if is_sound(name))
