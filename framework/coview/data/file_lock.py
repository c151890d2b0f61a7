"""A lock that processes hold one after the other, by a file that all of them see."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)


def _warn(text: str) -> None:
    warnings.warn(text.removeprefix("warning: "), stacklevel=2)


class LockHeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def file_lock(path: Path, *, wait: bool = True, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds the lock while entered; the system releases that of a process that is killed.

    On a file system that has no locks (NFS without its lock daemon, some that are mounted over FUSE) it holds nothing,
    and says so: two processes can then do the same work at once, which is for their user to avoid.

    Args:
        path: The file. It stays, as another process may wait for it.
        wait: Whether to wait for another process that holds it.
        say: Gets the sentence that there are no locks; absent: it is a Python warning.

    Raises:
        LockHeldError: If another process holds it, and ``wait`` is false.
        OSError: If the file cannot be made.
    """
    say, lock = say or _warn, FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise LockHeldError(f"another process holds {path}") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        say(_without_locks(path))
    try:
        yield
    finally:
        with suppress(OSError):
            lock.release()


def _without_locks(path: Path) -> str:
    return (
        f"warning: the file system of {path.parent} has no locks: coview continues without them. Do not start a "
        "second process that writes there at the same time"
    )
