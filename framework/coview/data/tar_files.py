"""Tar files read by place: any member at any time, from any process, without unpacking them.

WebDataset streams such files. The neighbours of a sample, and the place where a run continues, then depend on the
number of readers. This module makes an index of the places once for each file, and reads a member at its place. So
views, order and what follows after a resume are the same for any number of workers and ranks.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from coview.data.atomic import replacing
from coview.data.cache import data_folder
from coview.data.cached_arrays import cached_arrays
from coview.errors import CoviewError, SampleError, few
from coview.plugins.home import expanded

_INDEX = 4  # its format
_LARGEST = 2**30
"""Bytes of one member."""
_LONGEST_NAME = 4096
"""Bytes of a member's name, as of any path."""
_SPARSE = -1
"""In place of the size of a member that is stored in pieces, which reading by place does not put together."""
_TEXTS = (".txt", ".text", ".caption", ".cls", ".json")
_LONGEST_TEXT = 2**16
"""Bytes of such a member that the index keeps: a data set looks at texts ahead, and each read takes its time."""
_MOST_OPEN = 64
"""Files that a process keeps open: an operating system allows 256 to 1,024, and a large data set has more."""


@dataclass(frozen=True)
class TarIndex:
    """The members of one tar file that are files and complete.

    Attributes:
        names: The bytes of their names, one name after the other.
        name_end_M: Where each name ends.
        offset_M, size_M: Where the content of each begins, and how many bytes it has.
        texts: The contents that the index keeps, one after the other.
        text_end_M: Where the content of each ends among them.
        is_kept_M: Whether the index keeps its content.
        cut_at: The byte at which the file ends too early; -1 where it is complete.
    """

    names: np.ndarray
    name_end_M: np.ndarray
    offset_M: np.ndarray
    size_M: np.ndarray
    texts: np.ndarray
    text_end_M: np.ndarray
    is_kept_M: np.ndarray
    cut_at: np.ndarray

    def name(self, member: int) -> str:
        """The name of a member."""
        return os.fsdecode(_Pieces(self.names, self.name_end_M)[member])

    @property
    def fits(self) -> bool:
        """Whether its arrays belong to each other."""
        parts = (self.name_end_M, self.offset_M, self.size_M, self.text_end_M, self.is_kept_M)
        if self.cut_at.shape != (1,) or any(part.shape != (len(self.offset_M),) for part in parts):
            return False
        blocks = ((self.names, self.name_end_M), (self.texts, self.text_end_M))
        return all(block.ndim == 1 and len(block) == (ends[-1] if len(ends) else 0) for block, ends in blocks)


@dataclass(frozen=True)
class _Pieces:
    """Pieces of bytes, one after the other in one block."""

    block: np.ndarray
    end_M: np.ndarray

    @classmethod
    def joined(cls, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> Self:
        """Those of several blocks."""
        blocks, ends = zip(*parts, strict=True)
        firsts = np.cumsum([0, *map(len, blocks[:-1])])
        return cls(np.concatenate(blocks), np.concatenate([first + of for first, of in zip(firsts, ends, strict=True)]))

    def __getitem__(self, place: int) -> bytes:
        first = int(self.end_M[place - 1]) if place else 0
        return self.block[first : int(self.end_M[place])].tobytes()


class TarFiles:
    """The members of some tar files, numbered from 0, file after file.

    Args:
        tars: The files.

    Attributes:
        tar_M: ``(M,)`` int64: the number of each member's file.
        cut_off: Each file that ends too early, with the byte at which it does. Its complete members are there.

    Raises:
        CoviewError: If one cannot be read as a tar file.
    """

    def __init__(self, tars: Sequence[Path]) -> None:
        self.tars = tuple(tars)
        absolute = [Path(os.path.abspath(tar)) for tar in self.tars]
        folder = os.path.commonpath([tar.parent for tar in absolute])
        self._tar_names = [tar.relative_to(folder).as_posix() for tar in absolute]
        self._open: dict[int, FileIO] = {}
        found = [_index_of(tar) for tar in self.tars]
        cut = zip(self.tars, (int(index.cut_at[0]) for index in found), strict=True)
        self.cut_off = {tar: byte for tar, byte in cut if byte >= 0}
        self.tar_M = np.repeat(np.arange(len(found)), [len(index.offset_M) for index in found])
        self._names = _Pieces.joined((index.names, index.name_end_M) for index in found)
        self._offset_M = np.concatenate([index.offset_M for index in found])
        self._size_M = np.concatenate([index.size_M for index in found])
        self._texts = _Pieces.joined((index.texts, index.text_end_M) for index in found)
        self._is_kept_M = np.concatenate([index.is_kept_M for index in found])

    def __len__(self) -> int:
        return len(self.tar_M)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}

    def name(self, member: int) -> str:
        """The name of a member after the name of its tar file, such as ``train/0.tar/7.png``.

        The tar file is named from the folder on that all of them have in common.
        """
        return f"{self._tar_names[self.tar_M[member]]}/{os.fsdecode(self._names[member])}"

    def parts(self, member: int) -> tuple[str, str]:
        """The name of a member's sample in WebDataset, such as ``train/0.tar/7``, and its ending, such as ``.png``.

        The ending begins at the first dot of the file's name, and is in small letters.
        """
        key, ending = key_and_ending(os.fsdecode(self._names[member]))
        return f"{self._tar_names[self.tar_M[member]]}/{key}", ending

    def content(self, member: int) -> bytes:
        """The bytes of a member.

        Raises:
            SampleError: If they cannot be read.
        """
        if self._is_kept_M[member]:
            return self._texts[member]
        name, size = self.name(member), int(self._size_M[member])
        if size == _SPARSE:
            raise SampleError(name, "is stored as a sparse file, which cannot be read by place")
        if size > _LARGEST:
            raise SampleError(name, f"has {size:,} bytes, more than {_LARGEST:,}")
        try:
            file = self._opened(int(self.tar_M[member]))
            content = os.pread(file.fileno(), size, int(self._offset_M[member]))
        except OSError as error:
            raise SampleError(name, f"cannot be read ({error.strerror or error})") from error
        if len(content) < size:
            raise SampleError(name, f"has {len(content):,} of {size:,} bytes: its tar file has become shorter")
        return content

    def forget_texts(self) -> None:
        """Frees the memory of the texts that the index has. They are read at their places from then on."""
        none_M = np.zeros(len(self), dtype=np.int64)
        self._texts, self._is_kept_M = _Pieces(np.zeros(0, dtype=np.uint8), none_M), none_M.astype(bool)

    def _opened(self, tar: int) -> FileIO:
        """Opened when first needed. Processes may share it, as reading by place moves no position."""
        file = self._open.pop(tar, None)
        if file is None:
            if len(self._open) >= _MOST_OPEN:
                del self._open[next(iter(self._open))]  # it is closed when no other thread reads it any more
            file = self.tars[tar].open("rb", buffering=0)
        self._open[tar] = file  # the one that was used last is the last to be closed
        return file


def tar_files(pattern: Path, what: str) -> list[Path]:
    """The tar files of a folder, or of a pattern such as ``data/train-*.tar``, sorted.

    Args:
        pattern: The folder or the pattern.
        what: What messages call the data.

    Raises:
        CoviewError: If there are none.
    """
    path = expanded(pattern)
    if path.is_dir():
        found = sorted(path.glob("*.tar"))
    else:
        found = sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []
    if not found:
        raise CoviewError(
            f"{what} {pattern}: there are no such tar files",
            hint='give a folder of *.tar files, or "folder/train-*.tar"',
        )
    return found


def cut_off_notes(cut_off: Mapping[Path, int], files: int) -> tuple[str, ...]:
    """Says which of some tar files end too early, and where.

    Args:
        cut_off: As of :class:`TarFiles`.
        files: How many files there are.
    """
    if not cut_off:
        return ()
    ends = "ends" if len(cut_off) == 1 else "end"
    named = few([f"{tar} at byte {byte:,}" for tar, byte in cut_off.items()])
    return (f"{len(cut_off):,} of {files:,} tar files {ends} too early, as if cut off or damaged: {named}",)


def _index_of(tar: Path) -> TarIndex:
    """Where each member of a tar file lies, from the cache unless the file has changed."""
    status = tar.stat()
    key = f"{_INDEX} {tar.resolve()} {status.st_size} {status.st_mtime_ns}"
    cache = data_folder("tar_index") / f"{hashlib.blake2b(os.fsencode(key), digest_size=12).hexdigest()}.npz"
    if (kept := _kept(cache)) is not None:
        return kept
    index = read_tar_index(tar)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with replacing(cache, durable=False) as beside:
            np.savez(beside, **vars(index))
    except OSError:  # a cache that cannot be written costs time only
        pass
    return index


def _kept(cache: Path) -> TarIndex | None:
    """The index of an earlier time; None if there is none, or it is damaged."""
    arrays = cached_arrays(cache, tuple(TarIndex.__dataclass_fields__))
    if arrays is None:
        return None
    index = TarIndex(**arrays)
    return index if index.fits else None


def key_and_ending(name: str) -> tuple[str, str]:
    """The name of a sample in WebDataset, and the ending, in small letters, of the name of one of its members."""
    folder, slash, file = name.rpartition("/")
    key, dot, ending = file.partition(".")
    return f"{folder}{slash}{key}", (dot + ending).lower()


def read_tar_index(tar: Path) -> TarIndex:
    """Where each member of a tar file lies.

    Raises:
        CoviewError: If it cannot be read as a tar file.
    """
    index = _IndexBeingMade()
    try:
        end = tar.stat().st_size
        if end < tarfile.BLOCKSIZE:  # the library refuses a file without a complete header
            return index.made(cut_at=end)
        with tarfile.open(tar, "r:") as archive, tar.open("rb") as file:
            cut_at = _add_members(index, archive, file, end)
            if cut_at < 0:  # the library stops alike at a block of zeros, which ends a file, and at what is no header
                file.seek(archive.offset)
                block = file.read(tarfile.BLOCKSIZE)
                cut_at = -1 if len(block) == tarfile.BLOCKSIZE and not any(block) else archive.offset
    except (tarfile.TarError, OSError, ValueError, OverflowError, MemoryError) as error:  # a header may say anything
        raise CoviewError(
            f"{tar} cannot be read as a tar file: {error}", hint="a compressed one has to be unpacked"
        ) from error
    return index.made(cut_at)


class _IndexBeingMade:
    """What a tar file's members add to its index, without an object for each."""

    def __init__(self) -> None:
        self._names, self._texts = bytearray(), bytearray()
        self._name_ends, self._text_ends, self._offsets, self._sizes = (array("q") for _ in range(4))
        self._is_kept = bytearray()

    def add(self, member: tarfile.TarInfo, name: bytes, text: bytes | None) -> None:
        """Adds a member, with its content where the index keeps it."""
        self._names += name
        self._texts += text or b""
        self._name_ends.append(len(self._names))
        self._text_ends.append(len(self._texts))
        self._offsets.append(member.offset_data)
        self._sizes.append(_SPARSE if member.issparse() else member.size)
        self._is_kept.append(text is not None)

    def made(self, cut_at: int) -> TarIndex:
        """The index of all members that were added."""
        return TarIndex(
            names=np.frombuffer(self._names, dtype=np.uint8),
            name_end_M=np.array(self._name_ends, dtype=np.int64),
            offset_M=np.array(self._offsets, dtype=np.int64),
            size_M=np.array(self._sizes, dtype=np.int64),
            texts=np.frombuffer(self._texts, dtype=np.uint8),
            text_end_M=np.array(self._text_ends, dtype=np.int64),
            is_kept_M=np.frombuffer(self._is_kept, dtype=bool),
            cut_at=np.array([cut_at], dtype=np.int64),
        )


def _add_members(index: _IndexBeingMade, archive: tarfile.TarFile, file: BinaryIO, end: int) -> int:
    """Adds the members that are files and complete.

    Returns:
        The byte at which another member ends too early; -1 if none does.
    """
    while True:
        try:
            member = archive.next()
        except tarfile.ReadError:  # the content of the last one goes beyond the end
            return end
        if member is None:
            return -1
        archive.members.clear()  # type: ignore[attr-defined]  # the library keeps an object of each
        if len(name := os.fsencode(member.name)) > _LONGEST_NAME:
            raise ValueError(f"the name of {member.name[:40]}… has {len(name):,} bytes")
        if not member.issparse() and member.offset_data + member.size > end:
            return end
        if member.isfile():
            index.add(member, name, _text(file, member))


def _text(file: BinaryIO, member: tarfile.TarInfo) -> bytes | None:
    """The content of a member that the index keeps; None of one that it does not."""
    if member.issparse() or member.size > _LONGEST_TEXT or not member.name.lower().endswith(_TEXTS):
        return None
    file.seek(member.offset_data)
    return file.read(member.size)
