"""Pictures in tar files (WebDataset's layout), read by place: as shuffled as single files, without a file for each."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_image.decode import SUFFIXES, decode
from coview_image.depth import settled_bits

_LABEL_SUFFIXES = (".cls", ".cls.txt")
_INDEX = 2  # its format
_PARTS = ("name", "offset", "size", "label")
_CLASSES = 1_000_000
"""More than any data set has: a number beyond is a mistake, and as many names would fill the memory."""
_LARGEST = 2**30
"""Bytes of one picture."""
_EXAMPLES = 8
_LONGEST_NAME = 4096
"""Bytes of a member's name, as of any path: the index has room for the longest in every row."""
_SPARSE = -1
"""In place of the size of what lies in the tar in pieces, which reading by place does not put together."""


class ImageShards:
    """Pictures in tar files, each beside a ``.cls`` file of the same name with the number of its class, or without.

    A picture without one, or with -1 in it, has no label: it is trained on, and not evaluated.

    The files are read by place, not in a stream: any sample at any time, so that views and order are the same for any
    number of workers. An index of the places is made once, in coview's cache folder. A sample's id is the name of its
    file in the tar, after that of the tar.

    Args:
        split: "train" or "test".
        train: A folder of tar files, or a pattern such as "data/train-*.tar".
        test: Likewise, of the test split; absent: a seeded share of the training one, stratified by class.
        classes: Names of the classes, in order; absent: their numbers.
        test_fraction: Share of the pictures held out, where there is no test split.
        split_seed: Seed of that split, on purpose not the run's.
        decode_size: Decode JPEG files at a reduced scale that leaves both sides at least so many pixels.
        bits: As of ``image_folder``: of 16-bit greys.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image",)
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        *,
        split: str = "train",
        train: Path,
        test: Path | None = None,
        classes: tuple[str, ...] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
        bits: Annotated[int, Ge(8), Le(16)] | None = None,
    ) -> None:
        coview.check_split(split, self.splits)
        self._decode_size = decode_size
        self._open: dict[int, FileIO] = {}
        of_train = _tars(train)
        self._tars = of_train if test is None else [*of_train, *_tars(test)]
        indices = [_index_of(tar) for tar in self._tars]
        self._tar = np.repeat(np.arange(len(indices)), [len(index["offset"]) for index in indices])
        self._offset, self._size, self._name, label = (
            np.concatenate([index[key] for index in indices]) for key in ("offset", "size", "name", "label")
        )
        if len(label) == 0:
            raise coview.CoviewError(f"image shards {train}: no pictures in {len(self._tars)} tar files")
        number = int(label.max()) + 1
        if classes is not None and number > len(classes):
            raise coview.CoviewError(
                f"image shards {train}: {len(classes)} classes are named, but there is a class {number - 1}"
            )
        self.classes = None if not number else classes or tuple(map(str, range(number)))
        unlabelled = np.flatnonzero(label < 0)
        self.notes: tuple[str, ...] = ()
        if number and len(unlabelled):
            some = coview.few([self._called(int(row)) for row in unlabelled])
            self.notes = (f"{len(unlabelled):,} of {len(label):,} pictures have no label in a .cls file: {some}",)
        if test is None:
            rest, held = coview.seeded_split(
                len(label), fraction=test_fraction, seed=split_seed, labels=label if number else None
            )
        else:
            rest, held = (np.flatnonzero((self._tar < len(of_train)) == is_train) for is_train in (True, False))
        asked = test_fraction if test is None else None
        self.notes += coview.split_notes(
            rest, held, fraction=asked, labels=label if number else None, classes=self.classes
        )
        self._rows = rest if split == "train" else held
        if len(self._rows) == 0:
            raise coview.CoviewError(f"image shards {train}, {test}: no pictures in the tar files of the {split} split")
        self.labels = label[self._rows] if number else None
        known = (
            (name, self._called(int(row)), int(label[row]))
            for name, part in (("train", rest), ("test", held))
            for row in part
        )
        self.version = coview.content_version(len(label), "files", known, files=self._tars)
        self._bits = self._settled_bits(bits)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        row = int(self._rows[index])
        name, values = self._called(row), {}
        if "image" in modalities:
            content = io.BytesIO(self._content(row))
            values["image"] = decode(content, self._decode_size, name=name, bits=self._bits)
        return coview.Sample(
            values,
            id=name,
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
        )

    def _called(self, row: int) -> str:
        return f"{self._tars[self._tar[row]].name}/{os.fsdecode(self._name[row])}"

    def _content(self, row: int) -> bytes:
        name = self._called(row)
        size = int(self._size[row])
        if size == _SPARSE:
            raise coview.SampleError(name, "is stored as a sparse file, which cannot be read by place")
        if size > _LARGEST:
            raise coview.SampleError(name, f"has {size:,} bytes, more than {_LARGEST:,}")
        try:
            return os.pread(self._descriptor(int(self._tar[row])), size, int(self._offset[row]))
        except OSError as error:
            raise coview.SampleError(name, f"cannot be read ({error.strerror or error})") from error

    def _settled_bits(self, given: int | None) -> int:
        files = []
        for row in coview.evenly(len(self._name), _EXAMPLES):
            with suppress(coview.SampleError):
                files.append((self._called(row), io.BytesIO(self._content(row))))
        return settled_bits(files, given)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}

    def _descriptor(self, tar: int) -> int:
        """Opened when first needed. Processes may share it, as reading by place moves no position."""
        if tar not in self._open:
            self._open[tar] = self._tars[tar].open("rb", buffering=0)
        return self._open[tar].fileno()


def _tars(pattern: Path) -> list[Path]:
    path = coview.expanded(pattern)
    if path.is_dir():
        found = sorted(path.glob("*.tar"))
    else:
        found = sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []
    if not found:
        raise coview.CoviewError(
            f"image shards {pattern}: there are no such tar files",
            hint='give a folder of *.tar files, or "folder/train-*.tar"',
        )
    return found


def _index_of(tar: Path) -> dict[str, np.ndarray]:
    """Where each picture of a tar file lies, from the cache unless the file has changed."""
    status = tar.stat()
    key = f"{_INDEX} {tar.resolve()} {status.st_size} {status.st_mtime_ns}"
    cache = coview.data_folder("image_shards") / f"{hashlib.blake2b(os.fsencode(key), digest_size=12).hexdigest()}.npz"
    if (kept := _kept(cache)) is not None:
        return kept
    index = _read_index(tar)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with coview.replacing(cache, durable=False) as beside:
            np.savez(beside, **index)  # type: ignore[arg-type]
    except OSError:  # a cache that cannot be written costs time only
        pass
    return index


def _kept(cache: Path) -> dict[str, np.ndarray] | None:
    """The index of an earlier time; None if there is none, or it is damaged."""
    if (index := coview.cached_arrays(cache, _PARTS)) is None:
        return None
    whole = all(part.shape == index["name"].shape == (len(index["name"]),) for part in index.values())
    return index if whole else None


def _read_index(tar: Path) -> dict[str, np.ndarray]:
    names, offsets, sizes, keys, labels = [], [], [], [], {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in _files(archive):
                if len(name := os.fsencode(member.name)) > _LONGEST_NAME:
                    raise ValueError(f"the name of {member.name[:40]}… has {len(name):,} bytes")
                key, dot, suffix = member.name.rpartition("/")[2].partition(".")
                key, suffix = f"{member.name.rpartition('/')[0]}/{key}", (dot + suffix).lower()
                if suffix in _LABEL_SUFFIXES:
                    labels[key] = _label(archive, member, tar)
                elif suffix.endswith(SUFFIXES):
                    names.append(name)
                    offsets.append(member.offset_data)
                    sizes.append(_SPARSE if member.issparse() else member.size)
                    keys.append(key)
    except (tarfile.TarError, OSError, ValueError, OverflowError, MemoryError) as error:  # a header may say anything
        raise coview.CoviewError(
            f"{tar} cannot be read as a tar file of pictures: {error}", hint="a compressed one has to be unpacked"
        ) from error
    return {
        "name": np.array(names, dtype=np.bytes_),
        "offset": np.array(offsets, dtype=np.int64),
        "size": np.array(sizes, dtype=np.int64),
        "label": np.array([labels.get(key, -1) for key in keys], dtype=np.int64),
    }


def _label(archive: tarfile.TarFile, member: tarfile.TarInfo, tar: Path) -> int:
    """The number of a class; -1 for none."""
    file = archive.extractfile(member)
    text = file.read(64).decode("ascii", "replace").strip() if file else "-1"
    if not re.fullmatch(r"-1|[0-9]+", text) or int(text) >= _CLASSES:
        raise coview.CoviewError(
            f"{tar}: {member.name} has to hold the number of a class, 0 to {_CLASSES - 1:,}, got {text[:40]!r}",
            hint='number the classes from 0 on, and give their names in order: classes = ["cat", "dog"]',
        )
    return int(text)


def _files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    return (member for member in archive if member.isfile())
