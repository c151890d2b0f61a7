"""Writing a whole file so that a kill at any moment leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside the file to write to, with the same suffix; what is there at the end is synced and renamed
    over the file, and taken away if it did not get so far."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text beside the file, syncs it, and renames it over the file."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
