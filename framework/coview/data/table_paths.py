"""The files that a table names, found on disk: accents may be composed there or not."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coview.data.table_file import Table, TableRow
from coview.errors import CoviewError, SampleError, few


@dataclass(frozen=True)
class NamedFiles:
    """The files that a table names.

    Attributes:
        root: The folder that paths begin in.
        paths: Those that were asked for, as they are called on disk.
        missing: Those that are not there.
        notes: A sentence about them.
    """

    root: Path
    paths: list[str]
    missing: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def unreadable(self, paths: Iterable[str]) -> dict[int, SampleError]:
        """Which of some of the paths cannot be read, by their places: see :class:`coview.KnowsUnreadable`."""
        return {
            row: SampleError(str(self.root / path), "there is no such file")
            for row, path in enumerate(paths)
            if path in self.missing
        }


def table_files(
    root: Path, paths: Sequence[str], table: Table, what: str, rows: Sequence[TableRow] | None = None
) -> NamedFiles:
    """The files that a table names, as they are called below a folder: accents may be composed or not.

    Args:
        root: The folder.
        paths: Of some of the rows.
        table: The table.
        what: What they are, as a plural: "pictures".
        rows: The row that each path is of; absent: there is one of each row.

    Raises:
        CoviewError: If none of them is there.
    """
    found = [_as_on_disk(root, path) for path in paths]
    of_path = table.rows if rows is None else rows
    missing = [table.where(row) for row, path in zip(of_path, found, strict=True) if path is None]
    if len(missing) == len(found):
        first = root / paths[0]
        raise CoviewError(
            f"{table.path}: none of the {len(found):,} {what} that it names is there: {first}: there is no such file",
            hint="its paths have to be relative to the folder that is given as root",
        )
    named = [path if there is None else there for path, there in zip(paths, found, strict=True)]
    if not missing:
        return NamedFiles(root, named)
    are = "is" if len(missing) == 1 else "are"
    share = f"{len(missing):,} of the {len(found):,} {what}"
    absent = frozenset(path for path, there in zip(paths, found, strict=True) if there is None)
    note = f"{share} that {table.path.name} names {are} not there: {few(missing)}"
    return NamedFiles(root, named, absent, (note,))


def _as_on_disk(root: Path, path: str) -> str | None:
    for form in (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)):
        try:
            if (root / form).exists():
                return form
        except (OSError, ValueError):
            continue
    return None
