"""Files at an address: on a server, in a bucket, on the hub. They are read through fsspec, again after a broken
connection, and what is wrong is said with the address."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from coview.data.shard_cache import Growing, RefusedError
from coview.errors import CoviewError

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds to wait after each failure in a row. After one more nothing is tried any more."""

_CHUNK = 8 * 2**20
_GONE = (404, 410)
_REFUSED = (401, 403)
"""Answers of a server that stay when it is asked again."""
_STAY = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "OfflineModeIsEnabled")
"""Errors of botocore, google-auth and huggingface_hub that stay as well, by name: the packages need not be there."""
RESUME = "the same command with --resume continues the run"
"""What helps where the samples of a run are read, not where it is being prepared."""

_T = TypeVar("_T")


@runtime_checkable
class _HasStatus(Protocol):
    """An error of aiohttp, which has the status of an answer over HTTP."""

    status: int


@runtime_checkable
class _Response(Protocol):
    status_code: int


@runtime_checkable
class _HasResponse(Protocol):
    """An error of the hub's library or of requests, which has the answer over HTTP; botocore's has something else."""

    response: object


def file_system(address: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The file system of an address, and the address as a path in it.

    It is made anew in each process: connections do not survive a fork.

    Raises:
        CoviewError: If the package is missing that knows such addresses.
    """
    import fsspec  # comes with torch; what it imports depends on the address

    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(address, **options)
        return found
    except (ImportError, ValueError, TypeError) as error:
        raise CoviewError(f"{address}: {error}") from error


def read_small(address: str, options: Mapping[str, Any]) -> bytes | None:
    """The content of a small file; None if it is not there.

    Raises:
        CoviewError: If it cannot be read.
    """

    def read() -> bytes | None:
        system, path = file_system(address, options)
        try:
            content: bytes = system.cat_file(path)
        except FileNotFoundError:
            return None
        return content

    return again(address, read)


_NO_CACHE = {"cache_type": "none"}
"""What is read once, from the first byte to the last, need not be kept by the library."""


def copy(address: str, options: Mapping[str, Any], target: Growing) -> None:
    """Writes a file at an address to a local one. After a broken connection it goes on where that broke.

    Raises:
        CoviewError: If it is not there, or the connection breaks too often.
        RefusedError: If the local disk refuses it.
    """
    _Copy(address, options, target)()


class _Copy:
    def __init__(self, address: str, options: Mapping[str, Any], target: Growing) -> None:
        self._address, self._options, self._target = address, options, target
        self._streams = False

    def __call__(self) -> None:
        again(self._address, self._go_on, progress=lambda: self._target.written, hint=RESUME)

    def _go_on(self) -> None:
        system, path = file_system(self._address, self._options)
        if self._streams:
            self._target.restart()
        try:
            with system.open(path, "rb", block_size=0 if self._streams else _CHUNK, **_NO_CACHE) as file:
                size: int | None = file.size
                self._target.expect(size or 0)
                if self._target.written:
                    file.seek(self._target.written)
                while content := file.read(_CHUNK):
                    self._target.write(content)
        except ValueError:
            if self._streams:
                raise
            # a server that gives whole files only
            self._streams = True
            self._go_on()
            return
        if size is not None and self._target.written < size:
            raise ConnectionError(f"it has ended at byte {self._target.written:,} of {size:,}")


def again(
    address: str, action: Callable[[], _T], progress: Callable[[], int] = lambda: 0, hint: str | None = None
) -> _T:
    """What an action gives, which is tried again after growing pauses while a connection breaks.

    Args:
        address: What is read.
        action: Reads it.
        progress: How many bytes have come: while more do, failures do not add up.
        hint: What helps after a failure that may be over later.

    Raises:
        CoviewError: If it has failed too often, or trying again is no use.
    """
    failures, most = 0, progress()
    while True:
        try:
            return action()
        except (CoviewError, RefusedError):
            raise
        except Exception as raised:  # every file system has errors of its own for a connection that breaks
            error = _behind(raised)
            status = _status(error)
            if isinstance(error, FileNotFoundError) or status in _GONE:
                raise CoviewError(f"{address}: there is no such file", hint=hint) from raised
            stays = isinstance(error, PermissionError | NotImplementedError) or type(error).__name__ in _STAY
            if stays or status in _REFUSED:
                raise CoviewError(f"{address} cannot be read: {_said(error, lines=None)}") from raised
            done = progress()
            failures = 1 if done > most else failures + 1
            most = max(most, done)
            if failures > len(PAUSES):
                at = f" at byte {done:,}" if done else ""
                raise CoviewError(
                    f"{address}: the connection has broken{at}, {failures} times in a row: {_said(error)}", hint=hint
                ) from raised
            if failures == 3:
                print(f"warning: {address}: the connection breaks ({_said(error)}); trying again", file=sys.stderr)
            time.sleep(PAUSES[failures - 1])


def _behind(error: Exception) -> BaseException:
    """What has happened: fsspec says of any error over HTTP that there is no such file."""
    return error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ is not None else error


def _status(error: BaseException) -> int:
    """The status of the answer over HTTP that an error is about; 0 if it is about none."""
    if isinstance(error, _HasStatus):
        return error.status
    if isinstance(error, _HasResponse) and isinstance(error.response, _Response):
        return error.response.status_code
    return 0


def _said(error: BaseException, lines: int | None = 1) -> str:
    text = " ".join(" ".join(str(error).strip().split("\n")[:lines]).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
