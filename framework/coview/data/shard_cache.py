"""A folder of fetched shards that never takes more than so many bytes: those that were used longest ago are removed.

All processes of a machine share it. A shard is fetched by one of them while the others wait. What a process is writing
has its place reserved before the bytes are there, so the bound holds at every moment. A file may be removed while
another process reads it, who then has it fetched again: so nobody waits for anybody's reading.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from coview.data.atomic import ABANDONED, name_beside, remove_abandoned
from coview.data.disk_error import disk_error
from coview.data.file_lock import file_lock
from coview.errors import CoviewError

_STEP = 32 * 2**20
"""Bytes that are reserved at a time, at most, for a file whose size is not known."""
_WAIT = 120.0
"""Seconds to wait for room that other processes are about to use."""
_FRESH = 0.1
"""Seconds for which a use need not be noted again."""
_DONE = 0
"""The time of use of what is not needed soon."""
_IDLE = 600.0
"""Seconds without use after which a file may be removed for one that is only needed next."""
_LOCKS = "locks"
_ROOM = "room"
"""The lock of whoever looks how much is taken, makes a file longer, or gives it another name."""


class NoRoomError(CoviewError):
    """The bound leaves no room for a shard."""


class ShardCache:
    """The folder.

    Args:
        folder: Where it is; it need not be there.
        most_bytes: What its files take together, at most.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._noted: dict[str, float] = {}

    def path(self, name: str) -> Path | None:
        """A file that is there, which counts as used now; None if it is not."""
        path = self.folder / name
        now = time.monotonic()
        if now - self._noted.get(name, -_FRESH) >= _FRESH:
            try:
                os.utime(path)
            except OSError:
                self._noted.pop(name, None)
                return None
            self._noted[name] = now
        return path

    def fetched(
        self, name: str, write: Callable[[Growing], None], *, size: int | None = None, patient: bool = True
    ) -> Path:
        """A file, made now if it is not there.

        Args:
            name: Of the file.
            write: Makes it.
            size: Its bytes, where they are known.
            patient: Whether it is needed now: it waits for another process that makes it, and may take the room of what
                others use.

        Raises:
            LockHeldError: If another process makes it, and nobody is to wait.
            NoRoomError: If there is no room for it.
            CoviewError: If the disk refuses it, and whatever making it raises.
        """
        if (path := self.path(name)) is not None:
            return path
        path = self.folder / name
        try:
            (self.folder / _LOCKS).mkdir(parents=True, exist_ok=True)
            with self._lock(name[:3], wait=patient):
                if not path.is_file():
                    self._make(path, write, size, patient)
        except (OSError, RefusedError) as error:
            refused = error.error if isinstance(error, RefusedError) else error
            raise CoviewError(
                f"{self.folder}: shards cannot be kept there ({refused.strerror or refused})",
                hint="free some space, give another folder by COVIEW_DATA, or a smaller data.cache_gb; the same "
                "command with --resume continues the run",
            ) from error
        self._noted[name] = time.monotonic()
        return path

    def done_with(self, name: str) -> None:
        """Says that a file is not needed soon: it is the next to be removed, unless it is used again."""
        self._noted.pop(name, None)
        with suppress(OSError):
            os.utime(self.folder / name, (_DONE, _DONE))

    def removed(self, name: str) -> None:
        """Removes a file that turns out to be useless."""
        self._noted.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)

    def _lock(self, name: str, *, wait: bool = True) -> AbstractContextManager[None]:
        return file_lock(self.folder / _LOCKS / name, wait=wait, say=_say_nothing)

    def _make(self, path: Path, write: Callable[[Growing], None], size: int | None, patient: bool) -> None:
        beside = name_beside(path)
        try:
            with beside.open("wb") as file:
                growing = Growing(file, lambda need, wish: self._reserve(beside, need, wish, patient), size or 0)
                write(growing)
                growing.finish()
            # who looks how much is taken might else see it under neither name
            with self._lock(_ROOM):
                beside.replace(path)
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _reserve(self, beside: Path, need: int, wish: int, patient: bool) -> int:
        """Makes a file as long as wished, or as needed, after what was used longest ago has made room for it."""
        until = time.monotonic() + (_WAIT if patient else 0.0)
        if need > self.most_bytes:
            raise NoRoomError(
                f"{self.folder}: a shard of {_megabytes(need)} or more does not fit into {_megabytes(self.most_bytes)}",
                hint="give a larger data.cache_gb",
            )
        size = max(need, min(wish, self.most_bytes))
        while True:
            with self._lock(_ROOM):
                if self._make_room(beside, size, patient):
                    os.truncate(beside, size)
                    return size
            if time.monotonic() >= until:
                raise NoRoomError(
                    f"{self.folder}: shards that are being fetched take all of the {_megabytes(self.most_bytes)}",
                    hint="give a larger data.cache_gb, or a smaller data.shards_at_once",
                )
            time.sleep(0.1)

    def _make_room(self, beside: Path, size: int, patient: bool) -> bool:
        remove_abandoned(self.folder, ABANDONED)
        removable: list[tuple[float, int, Path]] = []
        taken, idle_since = size, time.time() - _IDLE
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name == beside.name or not entry.is_file(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    taken += state.st_size
                    if not entry.name.startswith(".") and (patient or state.st_mtime < idle_since):
                        removable.append((state.st_mtime, state.st_size, Path(entry.path)))
        if taken - sum(of_file for _, of_file, _ in removable) > self.most_bytes:
            return False
        for _, of_file, path in sorted(removable):
            if taken <= self.most_bytes:
                break
            path.unlink(missing_ok=True)
            self._noted.pop(path.name, None)
            taken -= of_file
        return True


class Growing:
    """A file that is being written into reserved room.

    Args:
        file: The file.
        reserve: Makes the file longer before bytes come: as long as needed, or as wished, and says how long it is.
        size: What it is expected to take; 0 where that is not known.
    """

    def __init__(self, file: BinaryIO, reserve: Callable[[int, int], int], size: int = 0) -> None:
        self._file, self._reserve, self._size = file, reserve, size
        self._reserved = 0
        self.written = 0

    def expect(self, size: int) -> None:
        """Says how many bytes there will be, 0 where that is not known. Raises as :meth:`write`."""
        self._size = size
        self._have(size, size)

    def write(self, content: bytes) -> None:
        """Appends some bytes.

        Raises:
            NoRoomError: If there is no room for them.
            RefusedError: If the disk refuses them.
        """
        need = self.written + len(content)
        # where the size is not known, as much more as there is already
        self._have(need, self._size or need + min(need, _STEP))
        try:
            self._file.write(content)
        except OSError as error:
            raise RefusedError(disk_error(error) or error) from error
        self.written = need

    def _have(self, need: int, wish: int) -> None:
        if need <= self._reserved:
            return
        try:
            self._reserved = self._reserve(need, wish)
        except OSError as error:
            raise RefusedError(disk_error(error) or error) from error

    def restart(self) -> None:
        """Begins anew."""
        self._file.seek(0)
        self.written = 0

    def finish(self) -> None:
        """Ends the file where it was written to."""
        self._file.flush()
        self._file.truncate(self.written)


class RefusedError(Exception):
    """The disk refuses to be written. It is no error of the connection that the bytes came from.

    Args:
        error: What the system says.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB"


def _say_nothing(_: str) -> None:
    pass
