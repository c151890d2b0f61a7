"""The Parquet shards of a data set: of each, the columns that a recipe reads are fetched and laid out row by row.

A Parquet file has to be read a row group at a time, which is no way to read rows in any order. What is kept of it is a
file of the rows' contents one after the other, with their places at its end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.shard_cache import Growing
from coview.data.shard_index import ABSENT, ShardIndex
from coview.data.shard_list import Shard
from coview.data.shard_source import RESUME, again, file_system
from coview.data.shard_store import cache_key, shard_cache, state_of
from coview.errors import CoviewError
from coview.recipe.place import is_address

_ROWS = 64
"""Rows that are decoded at a time."""
_END = struct.Struct("<8sq")
"""What stands at the end of a file: a mark, and how many bytes the places take before it."""
_MARK = b"coviewPQ"
_TRIES = 5


class ParquetStore:
    """Parquet files.

    Args:
        columns: The columns that are read.
        cache_gb: What is made of the files takes on the disk, at most, in coview's cache folder.
        options: For the file system of addresses, as fsspec takes them.
    """

    ending, what = ".parquet", "streamed Parquet files"

    def __init__(self, columns: Sequence[str], cache_gb: float, options: Mapping[str, Any] | None = None) -> None:
        self.columns, self.cache, self.options = tuple(columns), shard_cache(cache_gb), options or {}

    def room(self, shard: Shard) -> int:
        """Not known: a file has columns that are not read, and is compressed."""
        return 0

    def file(self, shard: Shard, *, patient: bool = True) -> Path:
        """The contents of the columns, row by row, then their places."""

        def write(target: Growing) -> None:
            def attempt() -> None:
                target.restart()
                with self._opened(shard) as file:
                    _write_rows(file, self.columns, target, shard.address)

            again(shard.address, attempt, hint=RESUME)

        return self.cache.fetched(self._name(shard), write, patient=patient)

    def index(self, shard: Shard, *, patient: bool = True) -> ShardIndex:
        """Where the contents lie."""
        for _ in range(_TRIES):
            index = _places_in(self.file(shard, patient=patient), len(self.columns))
            if index is not None:
                return index
            self.cache.removed(self._name(shard))
        raise CoviewError(f"{self.cache.folder}: what is made of {shard.address} is removed before it is read")

    def is_there(self, shard: Shard) -> bool:
        """Whether the contents are there."""
        return self.cache.path(self._name(shard)) is not None

    def forget(self, shard: Shard) -> None:
        """Has the contents made again."""
        self.cache.removed(self._name(shard))

    def done_with(self, shard: Shard) -> None:
        """What was made of it is the next to be removed."""
        self.cache.done_with(self._name(shard))

    def count(self, shard: Shard, /) -> int:
        """How many rows it has, by its footer, of which nothing else is fetched."""

        def count() -> int:
            with self._opened(shard) as file:
                return int(file.metadata.num_rows)

        return again(shard.address, count)

    def names_of_classes(self, shard: Shard, column: str, /) -> tuple[str, ...] | None:
        """The names of the classes, where the file says them as the Hugging Face library writes them."""

        def read() -> bytes | None:
            with self._opened(shard) as file:
                found: bytes | None = (file.schema_arrow.metadata or {}).get(b"huggingface")
                return found

        said = again(shard.address, read)
        try:
            names = json.loads(said or b"{}")["info"]["features"][column]["names"]
        except (ValueError, KeyError, TypeError):
            return None
        return tuple(map(str, names)) if isinstance(names, list) else None

    def _name(self, shard: Shard) -> str:
        local = () if is_address(shard.address) else state_of(shard)
        return f"{cache_key(shard, self.columns, local)}.rows"

    @contextmanager
    def _opened(self, shard: Shard) -> Iterator[Any]:
        parquet, broken = _library()
        try:
            if is_address(shard.address):
                system, path = file_system(shard.address, self.options)
                with system.open(path, "rb") as file:
                    yield parquet.ParquetFile(file)
            else:
                with parquet.ParquetFile(shard.address) as file:
                    yield file
        except broken as error:
            raise CoviewError(f"{shard.address} cannot be read as a Parquet file: {error}") from error


def _library() -> tuple[Any, type[Exception]]:
    try:
        import pyarrow  # of an extra, and it costs start-up time
        from pyarrow import parquet  # likewise
    except ModuleNotFoundError as error:
        raise CoviewError("Parquet files need the package 'pyarrow'", hint="pip install pyarrow") from error
    return parquet, pyarrow.ArrowInvalid


def _write_rows(file: Any, columns: Sequence[str], target: Growing, address: str) -> None:
    names = file.schema_arrow.names
    if missing := [column for column in columns if column not in names]:
        raise CoviewError(f'{address} has no column "{missing[0]}" (there is {", ".join(names)})')
    offsets: list[int] = []
    sizes: list[int] = []
    for batch in file.iter_batches(batch_size=_ROWS, columns=list(columns)):
        contents = [[_content(value) for value in batch.column(column).to_pylist()] for column in columns]
        for of_row in zip(*contents, strict=True):
            for content in of_row:
                offsets.append(target.written)
                sizes.append(ABSENT if content is None else len(content))
                if content:
                    target.write(content)
    shape = (len(sizes) // len(columns), len(columns))
    places = ShardIndex(
        keys=np.zeros(0, dtype=np.uint8),
        key_end_S=np.zeros(0, dtype=np.int64),
        offset_SC=np.array(offsets, dtype=np.int64).reshape(shape),
        size_SC=np.array(sizes, dtype=np.int64).reshape(shape),
        cut_at=np.array([-1]),
    ).to_bytes()
    target.write(places + _END.pack(_MARK, len(places)))


def _content(value: Any) -> bytes | None:
    """What a cell holds: bytes and texts as they are, a picture or a sound as its file, all else as JSON."""
    if isinstance(value, Mapping) and "bytes" in value:
        value = value["bytes"]
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, default=str)).encode("utf-8", "surrogatepass")


def _places_in(path: Path, columns: int) -> ShardIndex | None:
    try:
        with path.open("rb") as file:
            file.seek(-_END.size, 2)
            end = file.tell()
            mark, size = _END.unpack(file.read(_END.size))
            if mark != _MARK or not 0 <= size <= end:
                return None
            file.seek(end - size)
            return ShardIndex.kept(BytesIO(file.read(size)), columns)
    except OSError:
        return None
