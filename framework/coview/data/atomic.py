"""Writing a whole file so that a kill at any moment leaves the old one or the new one, never half of one."""

from __future__ import annotations

import glob
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED = ".*.tmp*"
"""What follows the stem of a file in the name that it is written under; a pattern."""

_BESIDE = re.compile(r"\..+\.(?P<host>[A-Za-z0-9_-]*)\.(?P<process>\d+)\.tmp(?:\.\w+)?")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside the file to write to, with the same suffix; what is there at the end is synced and renamed
    over the file, and taken away if it did not get so far."""
    beside = name_beside(path)
    remove_abandoned(path.parent, f".{glob.escape(path.stem)}.*.tmp{glob.escape(path.suffix)}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text beside the file, syncs it, and renames it over the file."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def name_beside(path: Path) -> Path:
    """Where this process makes what is to be ``path``: a name that says whose it is."""
    return path.with_name(f".{path.stem}.{_host()}.{os.getpid()}.tmp{path.suffix}")


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Removes what processes of this machine have begun in a folder and were killed before they could finish it.

    Args:
        folder: The folder.
        pattern: Of names below it.
    """
    for path in list(folder.glob(pattern)):
        if _is_abandoned(path.name):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_abandoned(name: str) -> bool:
    found = _BESIDE.fullmatch(name)
    if found is None or found["host"] != _host() or os.name != "posix":
        return False
    try:
        os.kill(int(found["process"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is there, and somebody else's
        return False
    return False


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", platform.node())
