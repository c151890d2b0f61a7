"""Pictures in tar files (WebDataset's layout), with random access: as shuffled as single files, without a file for
each."""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_image.decode import SUFFIXES, decode
from coview_image.depth import settled_bits

_LABEL_SUFFIXES = (".cls", ".cls.txt")
_CLASSES = 1_000_000
"""More than any data set has: a number beyond is a mistake, and as many names would fill the memory."""
_EXAMPLES = 8


class ImageShards:
    """Pictures in tar files, each beside a ``.cls`` file of the same name with the number of its class, or without.

    A picture without one, or with -1 in it, has no label: it is trained on, and not evaluated.

    The files are read at random positions, not in a stream: any sample at any time, so that views and order are the
    same for any number of workers. An index of the places is made once, in coview's cache folder. A sample's id is the
    name of its file in the tar, after that of the tar.

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
        of_train = coview.tar_files(train, "image shards")
        tars = of_train if test is None else [*of_train, *coview.tar_files(test, "image shards")]
        self._tars = coview.TarFiles(tars)
        self._members, label = _labelled(self._tars)
        self._tars.forget_texts()
        if len(label) == 0:
            raise coview.CoviewError(f"image shards {train}: no pictures in {len(tars)} tar files")
        number = int(label.max()) + 1
        if classes is not None and number > len(classes):
            raise coview.CoviewError(
                f"image shards {train}: {len(classes)} classes are named, but there is a class {number - 1}"
            )
        self.classes = None if not number else classes or tuple(map(str, range(number)))
        unlabelled = np.flatnonzero(label < 0)
        self.notes: tuple[str, ...] = coview.cut_off_notes(self._tars.cut_off, len(tars))
        if number and len(unlabelled):
            some = coview.few([self._called(int(row)) for row in unlabelled])
            self.notes += (f"{len(unlabelled):,} of {len(label):,} pictures have no label in a .cls file: {some}",)
        if test is None:
            rest, held = coview.seeded_split(
                len(label), fraction=test_fraction, seed=split_seed, labels=label if number else None
            )
        else:
            of_tar = self._tars.tar_M[self._members]
            rest, held = (np.flatnonzero((of_tar < len(of_train)) == is_train) for is_train in (True, False))
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
        self.version = coview.content_version(len(label), "files", known, files=tars)
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
            values["image"] = decode(self._file(row), self._decode_size, name=name, bits=self._bits)
        return coview.Sample(
            values,
            id=name,
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
        )

    def _called(self, row: int) -> str:
        return self._tars.name(int(self._members[row]))

    def _file(self, row: int) -> io.BytesIO:
        return io.BytesIO(self._tars.content(int(self._members[row])))

    def _settled_bits(self, given: int | None) -> int:
        files = []
        for row in coview.evenly(len(self._members), _EXAMPLES):
            with suppress(coview.SampleError):
                files.append((self._called(row), self._file(row)))
        return settled_bits(files, given)


def _labelled(tars: coview.TarFiles) -> tuple[np.ndarray, np.ndarray]:
    """The members that are pictures, and the class of each, -1 for none."""
    parts = [tars.parts(member) for member in range(len(tars))]
    labels = {key: _label(tars, member) for member, (key, ending) in enumerate(parts) if ending in _LABEL_SUFFIXES}
    pictures = [member for member, (_, ending) in enumerate(parts) if ending.endswith(SUFFIXES)]
    of_picture = [labels.get(parts[member][0], -1) for member in pictures]
    return np.array(pictures, dtype=np.int64), np.array(of_picture, dtype=np.int64)


def _label(tars: coview.TarFiles, member: int) -> int:
    """The number of a class; -1 for none."""
    text = tars.content(member)[:64].decode("ascii", "replace").strip()
    if not re.fullmatch(r"-1|[0-9]+", text) or int(text) >= _CLASSES:
        raise coview.CoviewError(
            f"{tars.name(member)} has to hold the number of a class, 0 to {_CLASSES - 1:,}, got {text[:40]!r}",
            hint='number the classes from 0 on, and give their names in order: classes = ["cat", "dog"]',
        )
    return int(text)
