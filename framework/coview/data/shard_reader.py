"""Reads samples of shards, in one process, and has those that come next fetched meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from coview.data.file_lock import LockHeldError
from coview.data.shard_index import ABSENT, SPARSE, TWICE, ShardIndex
from coview.data.shard_list import Shard
from coview.data.shard_store import ShardStore
from coview.errors import CoviewError, SampleError

_TRIES = 5
"""How often a file may be removed just before it is read."""
_PAUSE = 1.0
"""Seconds to wait after a shard could not be fetched ahead, as where others take all of the room."""
_WHY_NOT = {
    SPARSE: "is stored as a sparse file, which cannot be read by place",
    TWICE: "is there twice: two members of the sample have this ending",
}


class ShardReader:
    """The content of samples.

    Args:
        shards: The shards, each with its number of samples.
        names: What they are called.
        store: Their files.
        at_once: How many of them are read at a time.
    """

    def __init__(self, shards: Sequence[Shard], names: Sequence[str], store: ShardStore, at_once: int) -> None:
        self._shards, self._names, self._store, self._at_once = shards, names, store, min(at_once, len(shards))
        self._indices: OrderedDict[int, ShardIndex] = OrderedDict()
        self._ahead: _Ahead | None = None
        self._wanted: tuple[int, ...] = ()
        self._largest = max(map(store.room, shards), default=0)
        self._check_room()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_indices": OrderedDict(), "_ahead": None, "_wanted": ()}

    def name(self, shard: int, sample: int) -> str:
        """What a sample is called: the name of its shard, and its own."""
        return f"{self._names[shard]}/{self._index(shard, sample).key(sample)}"

    def content(self, shard: int, sample: int, column: int) -> bytes | None:
        """What a sample has in a column; None if it has nothing.

        Raises:
            SampleError: If it cannot be read.
            CoviewError: If the shard cannot be had, or is another than was said.
        """
        index = self._index(shard, sample)
        size = int(index.size_SC[sample, column])
        if size == ABSENT:
            return None
        named = f"{self.name(shard, sample)}: {self._store.columns[column]}"
        if size in _WHY_NOT:
            raise SampleError(named, _WHY_NOT[size])
        content = self._read(shard, sample, int(index.offset_SC[sample, column]), size)
        if len(content) < size:
            raise SampleError(named, f"has {len(content):,} of {size:,} bytes: its file has become shorter")
        return content

    def fetch_ahead(self, shards: Sequence[int]) -> None:
        """Has as many of some shards fetched, from the first on, as there is room for. Returns at once."""
        for shard in set(self._wanted).difference(shards):
            self._store.done_with(self._shards[shard])
        self._wanted = tuple(shards)
        room = self._store.cache.most_bytes // self._largest if self._largest else len(shards)
        most = max(1, room * len(shards) // (2 * self._at_once))
        missing = tuple(shard for shard in shards[:most] if not self._store.is_there(self._shards[shard]))
        if missing:
            if self._ahead is None or not self._ahead.is_of_this_process:
                self._ahead = _Ahead(self._fetch)
            self._ahead.want(missing)

    def _fetch(self, shard: int) -> None:
        with suppress(LockHeldError):
            self._opened(self._shards[shard], patient=False)

    def _index(self, shard: int, sample: int) -> ShardIndex:
        if shard in self._indices:
            self._indices.move_to_end(shard)
            return self._indices[shard]
        one = self._shards[shard]
        with self._naming(shard, sample):
            index = self._opened(one)
        if len(index) != one.samples:
            cut = int(index.cut_at[0])
            ends = f"; it ends at byte {cut:,}, as if cut off or damaged" if cut >= 0 else ""
            raise CoviewError(
                f"{one.address} has {len(index):,} samples, and is said to have {one.samples or 0:,}{ends}",
                hint="repair it, or what says its number of samples, such as sizes.json",
            )
        self._indices[shard] = index
        if len(self._indices) > 2 * self._at_once + 2:
            self._indices.popitem(last=False)
        return index

    def _opened(self, shard: Shard, *, patient: bool = True) -> ShardIndex:
        path = self._store.file(shard, patient=patient)
        if path.parent == self._store.cache.folder:
            with suppress(FileNotFoundError):  # removed already, and fetched again when it is read
                self._largest = max(self._largest, path.stat().st_size)
            self._check_room()
        return self._store.index(shard, patient=patient)

    def _check_room(self) -> None:
        """Raises CoviewError if the shards that are read at a time do not fit into the cache together."""
        most = self._store.cache.most_bytes
        if self._largest * self._at_once > most:
            raise CoviewError(
                f"data.cache_gb leaves room for {most / 2**20:,.1f} MB of shards, and {self._at_once} of up to "
                f"{self._largest / 2**20:,.1f} MB are read at a time",
                hint="give a larger data.cache_gb, or a smaller data.shards_at_once",
            )

    @contextmanager
    def _naming(self, shard: int, sample: int) -> Iterator[None]:
        """Has an error say which sample was wanted."""
        try:
            yield
        except CoviewError as error:
            at = f"{error.message}; sample {sample:,} of {self._names[shard]} was to be read"
            raise CoviewError(at, error.hint) from error

    def _read(self, shard: int, sample: int, offset: int, size: int) -> bytes:
        one = self._shards[shard]
        for _ in range(_TRIES):
            with self._naming(shard, sample):
                path = self._store.file(one)
            try:
                with path.open("rb", buffering=0) as file:
                    return os.pread(file.fileno(), size, offset)
            except FileNotFoundError:
                self._store.forget(one)
            except OSError as error:
                raise SampleError(f"{self._names[shard]}", f"cannot be read ({error.strerror or error})") from error
        raise CoviewError(
            f"{self._store.cache.folder}: shards are removed before they are read",
            hint="give a larger data.cache_gb: other runs may use the same folder",
        )


class _Ahead:
    """A thread that fetches what was last asked for. What goes wrong there goes wrong again where it is read."""

    def __init__(self, fetch: Callable[[int], None]) -> None:
        self._fetch = fetch
        self._process = os.getpid()
        self._wanted: tuple[int, ...] = ()
        self._asked = threading.Condition()
        threading.Thread(target=self._run, name="coview-fetches-ahead", daemon=True).start()

    @property
    def is_of_this_process(self) -> bool:
        """Whether the thread is there: a forked process has none."""
        return self._process == os.getpid()

    def want(self, shards: tuple[int, ...]) -> None:
        """Has these fetched, in this order, in place of what was asked for before."""
        with self._asked:
            self._wanted = shards
            self._asked.notify()

    def _run(self) -> None:
        while True:
            with self._asked:
                while not self._wanted:
                    self._asked.wait()
                shard, *rest = self._wanted
                self._wanted = tuple(rest)
            try:
                self._fetch(shard)
            except CoviewError:
                time.sleep(_PAUSE)
