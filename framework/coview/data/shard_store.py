"""The shards of a data set as files on this machine's disk: those of tar files, where they are, or fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from coview.data.cache import data_folder
from coview.data.shard_cache import Growing, ShardCache
from coview.data.shard_index import ShardIndex, index_of_tar
from coview.data.shard_list import Shard
from coview.data.shard_source import copy
from coview.errors import CoviewError
from coview.recipe.place import is_address

_FORMAT = 1
_TRIES = 5
"""How often a file may be removed just before it is read."""


class ShardStore(Protocol):
    """Where a shard's content lies.

    Attributes:
        ending: Of the shards' names, such as ".tar".
        what: What messages call the data.
        columns: What of each sample is read.
        options: For the file system of addresses.
        cache: Of what is fetched.
    """

    ending: str
    what: str
    columns: tuple[str, ...]
    options: Mapping[str, Any]
    cache: ShardCache

    def count(self, shard: Shard, /) -> int:
        """How many samples a shard has."""
        ...

    def names_of_classes(self, shard: Shard, column: str, /) -> tuple[str, ...] | None:
        """The names of the classes, where a shard says them."""
        ...

    def room(self, shard: Shard) -> int:
        """How many bytes of the cache a shard takes, where that is known before it is fetched; else 0."""
        ...

    def file(self, shard: Shard, *, patient: bool = True) -> Path:
        """The file that holds the content of a shard's samples, fetched if it is not there.

        Args:
            shard: The shard.
            patient: Whether to wait for another process that fetches it.

        Raises:
            LockHeldError: If another process fetches it, and nobody is to wait.
            CoviewError: If it cannot be had.
        """
        ...

    def index(self, shard: Shard, *, patient: bool = True) -> ShardIndex:
        """Where in that file they lie. Raises as :meth:`file`."""
        ...

    def is_there(self, shard: Shard) -> bool:
        """Whether the shard has been fetched, and its index made. It counts as used now."""
        ...

    def forget(self, shard: Shard) -> None:
        """Has the shard fetched again: its file was removed while it was read."""
        ...

    def done_with(self, shard: Shard) -> None:
        """Says that the shard is not needed soon."""
        ...


class TarStore:
    """Tar files: those on disk are read where they are.

    Args:
        columns: The endings of members that are read: ``jpg``, or ``jpg;png`` for the first of these that there is.
        cache_gb: What fetched files and indices take on the disk together, at most, in coview's cache folder.
        options: For the file system of addresses, as fsspec takes them.
    """

    ending, what = ".tar", "streamed tar files"

    def __init__(self, columns: Sequence[str], cache_gb: float, options: Mapping[str, Any] | None = None) -> None:
        self.columns, self.cache, self.options = tuple(columns), shard_cache(cache_gb), options or {}

    def count(self, shard: Shard, /) -> int:
        """How many samples a shard has, by its index."""
        return len(self.index(shard))

    def names_of_classes(self, shard: Shard, column: str, /) -> None:
        """A tar file does not say them."""

    def room(self, shard: Shard) -> int:
        """None for what is on disk."""
        return (shard.size or 0) if is_address(shard.address) else 0

    def file(self, shard: Shard, *, patient: bool = True) -> Path:
        """The tar file."""
        if not is_address(shard.address):
            return Path(shard.address)

        def write(target: Growing) -> None:
            copy(shard.address, self.options, target)

        return self.cache.fetched(f"{cache_key(shard)}.tar", write, size=shard.size, patient=patient)

    def index(self, shard: Shard, *, patient: bool = True) -> ShardIndex:
        """Where the members lie, from the cache or of the file."""
        name = self._name_of_index(shard)

        def write(target: Growing) -> None:
            content = self._read_index(shard, patient).to_bytes()
            target.expect(len(content))
            target.write(content)

        for _ in range(_TRIES):
            path = self.cache.fetched(name, write, patient=patient)
            index = ShardIndex.kept(path, len(self.columns))
            if index is not None:
                return index
            self.cache.removed(name)
        return self._read_index(shard, patient)

    def _read_index(self, shard: Shard, patient: bool) -> ShardIndex:
        for last in range(_TRIES):
            path = self.file(shard, patient=patient)
            try:
                return index_of_tar(path, self.columns)
            except CoviewError:
                if path.exists() or last == _TRIES - 1:
                    raise
                self.forget(shard)  # it was removed before it was read
        raise AssertionError("the last try returns or raises")

    def is_there(self, shard: Shard) -> bool:
        """Whether the tar file and its index are there."""
        fetched = not is_address(shard.address) or self.cache.path(f"{cache_key(shard)}.tar") is not None
        return fetched and self.cache.path(self._name_of_index(shard)) is not None

    def _name_of_index(self, shard: Shard) -> str:
        local = () if is_address(shard.address) else state_of(shard)
        return f"{cache_key(shard, self.columns, local)}.npz"

    def forget(self, shard: Shard) -> None:
        """The file was removed."""
        if not is_address(shard.address):
            raise _missing(shard)
        self.cache.removed(f"{cache_key(shard)}.tar")

    def done_with(self, shard: Shard) -> None:
        """What was fetched of it is the next to be removed."""
        if is_address(shard.address):
            self.cache.done_with(f"{cache_key(shard)}.tar")


def shard_cache(gigabytes: float) -> ShardCache:
    """Where shards are kept."""
    return ShardCache(data_folder("streamed"), int(gigabytes * 2**30))


def cache_key(shard: Shard, *further: object) -> str:
    """A name for what is kept of a shard: another for another address, size or state, and for what else it is of."""
    told = repr((_FORMAT, shard.address, shard.size, shard.state, *further))
    return hashlib.blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def state_of(shard: Shard) -> tuple[int, int]:
    """What is another when a shard on disk is another file.

    Raises:
        CoviewError: If it is not there.
    """
    try:
        state = Path(shard.address).stat()
    except OSError as error:
        raise _missing(shard) from error
    return state.st_size, state.st_mtime_ns


def _missing(shard: Shard) -> CoviewError:
    return CoviewError(f"{shard.address}: there is no such file any more")
