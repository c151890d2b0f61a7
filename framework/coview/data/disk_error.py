"""Telling that a disk refuses to be written, whatever a library makes of it.

``torch.save`` raises ``RuntimeError``, safetensors ``SafetensorError`` and NumPy an ``OSError`` without a number, where
Python would raise an ``OSError`` with one.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Full, over quota, larger than a file may be, read-only, broken."""

_IN_WORDS = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]|Os \{ code: (\d+),")
_LESS_WRITTEN = re.compile(r"\d+ requested and \d+ written")


def disk_error(error: BaseException) -> OSError | None:
    """The error of the system's behind an error, if a file could not be written: itself, one that it comes from, or
    the one that its text names; else None."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        pending += [one.__cause__, one.__context__]
        if isinstance(one, OSError) and one.errno is not None:
            return one
        if found := _IN_WORDS.search(str(one)):
            number = int(found[found.lastindex or 0])
            return OSError(number, os.strerror(number))
        if _LESS_WRITTEN.search(str(one)):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def is_refusal(error: OSError) -> bool:
    """Whether it says that the disk is full or cannot be written, which the user can correct."""
    return error.errno in _REFUSALS


@contextmanager
def naming(path: Path, beside: Path) -> Iterator[None]:
    """Has a refusal of the disk name the file that was to be written, and not the one beside it that it is made in.

    A library's error names neither.
    """
    try:
        yield
    except Exception as error:
        refused = disk_error(error)
        if refused is None or not is_refusal(refused) or refused.filename not in (None, str(beside)):
            raise
        raise OSError(refused.errno, refused.strerror, str(path)) from error
