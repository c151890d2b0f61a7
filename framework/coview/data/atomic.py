"""Writing a whole file, or a whole folder, so that a kill at any moment leaves the old one or the new one, never half
of one."""

from __future__ import annotations

import glob
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coview.data.disk_error import naming

ABANDONED = ".*.tmp*"
"""What follows the stem of a file in the name that it is written under; a pattern."""

_BESIDE = re.compile(r"\..+\.(?P<host>[A-Za-z0-9_-]*)\.(?P<process>\d+)-[0-9a-f]+\.tmp(?:\.\w+)?")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a path beside the file to write to, with the same suffix; what is there at the end is renamed over the
    file, and taken away if it did not get so far.

    Args:
        path: The file.
        durable: Whether to wait until the disk has it, so that it outlives a power cut, and to remove what processes
            that were killed have left of the same file. Not for a cache of many files that finds out itself which of
            them are damaged.
    """
    beside = name_beside(path)
    if durable:
        remove_abandoned(path.parent, f".{glob.escape(path.stem)}.*.tmp{glob.escape(path.suffix)}")
    try:
        with naming(path, beside):
            yield beside
            if durable:
                _sync(beside)
            beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text beside the file, syncs it, and renames it over the file.

    Bytes of a file's name that are not UTF-8 are written as ``\\udce9``, which JSON reads back as the same name.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Gives an empty folder beside to fill; what is there at the end is put in the folder's place as a whole, and
    taken away if it did not get so far. What an earlier call that was killed has left is put right first.

    Two processes must not be within it at a time for one folder.
    """
    settle_folder(folder)
    beside = _beside(folder, "part")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside.mkdir()
    try:
        with naming(folder, beside):
            yield beside
            for path in sorted(beside.rglob("*")):
                if path.is_file():
                    _sync(path)
            put_folder(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def put_folder(beside: Path, folder: Path) -> None:
    """Renames a whole folder to where another, or nothing, is: the old one is renamed away first, and removed last."""
    old = _beside(folder, "old")
    if not os.path.lexists(folder):
        beside.rename(folder)
        return
    _remove(old)
    folder.rename(old)
    try:
        beside.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    _remove(old)


def is_unsettled(folder: Path) -> bool:
    """Whether something lies beside the folder that a killed process has left, or one at work needs."""
    return any(os.path.lexists(_beside(folder, kind)) for kind in ("part", "old", "gone"))


def settle_folder(folder: Path) -> None:
    """Puts right what a process that was killed has left beside the folder: an old one whose place is empty goes back
    to it, and all else is removed."""
    old = _beside(folder, "old")
    if os.path.lexists(old) and not os.path.lexists(folder):
        old.rename(folder)
    _remove(old)
    for kind in ("part", "gone"):
        shutil.rmtree(_beside(folder, kind), ignore_errors=True)


def _remove(old: Path) -> None:
    """Under a name that nothing is put back from, so that half of it is never taken for the whole."""
    gone = old.with_suffix(".gone")
    if old.is_symlink():  # the folder that it leads to is somebody else's
        old.unlink()
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(FileNotFoundError):
        old.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def name_beside(path: Path) -> Path:
    """Where this process makes what is to be ``path``: a name that says whose it is."""
    return path.with_name(f".{path.stem}.{_host()}.{os.getpid()}-{secrets.token_hex(4)}.tmp{path.suffix}")


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
