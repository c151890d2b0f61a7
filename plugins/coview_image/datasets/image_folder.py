"""Pictures in folders, or named by a table: the layouts that most people already have."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_image.decode import SUFFIXES, decode
from coview_image.depth import settled_bits

_KIND = coview.FileKind(
    name="image",
    files="pictures",
    suffixes=SUFFIXES,
    expected="expected are pictures (JPEG, PNG, WebP, GIF, BMP, TIFF and more) in one subfolder for each class "
    "(root/cat/1.jpg, root/dog/2.jpg), or all directly in the folder, without classes, or a table of them as labels; "
    "subfolders train/ and test/ (or val/) are splits",
)


class ImageFolder:
    """Pictures in subfolders of a folder, one for each class; or in the folder itself, without classes; or named by a
    table.

    Subfolders ``train`` and ``test`` are the splits (or ``training``, ``testing``, in small letters or capitals). One
    called ``validation``, ``valid``, ``val`` or ``dev`` is the validation split beside them, and is tested on where
    there is no ``test``. Without them a seeded split is made, stratified by class. Hidden files and folders are passed
    over; other files are left out, counted and named. A sample's id is its path below the folder, and pictures are
    decoded when asked for.

    Args:
        split: "train", "test", or "validation" where there is one.
        root: The folder.
        labels: A table of the pictures below the folder, in place of subfolders: CSV, TSV, JSONL or Parquet.
        path_column: Its column of paths, relative to the folder.
        label_column: Its column of classes; "" for none. A row without a class is trained on.
        group_column: Its column of what must not be on both sides, such as a patient. Absent: no groups.
        split_column: Its column of splits, with the names that folders may have. Absent: a seeded split.
        fold: The value of ``split_column`` that is tested on; the others are trained on. Absent: its values are names
            of splits.
        encoding: Encoding of the table.
        header: Whether the table begins with the names of its columns; if not, they are "1", "2", ….
        quotes: Whether double quotes in the table hold a field together.
        test_fraction: Share of the pictures held out, where there are no splits.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a
            comparison.
        decode_size: Decode JPEG files at a reduced scale, the smallest of 1, 1/2, 1/4 and 1/8 that leaves
            both sides at least so many pixels: several times faster for large photographs. Absent: full size.
        bits: How many bits of the 16 of a 16-bit grey picture its values have: 12 for most X-rays. Absent: 16, and
            pictures that seem to have fewer are refused.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image",)
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        labels: Path | None = None,
        path_column: str = "path",
        label_column: str = "label",
        group_column: str | None = None,
        split_column: str | None = None,
        fold: str | None = None,
        encoding: str = "utf-8",
        header: bool = True,
        quotes: bool = True,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
        bits: Annotated[int, Ge(8), Le(16)] | None = None,
    ) -> None:
        self.root, self.decode_size = _KIND.root(root), decode_size
        table = None
        if labels is not None:
            table = coview.TableOfFiles(
                labels, path_column, label_column, group_column, split_column, fold, encoding, header, quotes
            )
        listing = coview.file_listing(self.root, _KIND, split, table, fraction=test_fraction, seed=split_seed)
        # One array of bytes: a list of strings would be copied into every forked process as it is touched.
        self._paths = np.array([os.fsencode(path) for path in listing.paths], dtype=np.bytes_)
        self.unreadable = listing.unreadable
        self.classes, self.labels, self.version = listing.classes, listing.labels, listing.version
        self.groups, self.notes = listing.groups, listing.notes
        self._bits = settled_bits([(path, self.root / path) for path in listing.examples], bits)

    @classmethod
    def find_splits(cls, root: Any = "", labels: Any = None, **parameters: Any) -> tuple[str, ...]:
        """The splits that there are with these parameters."""
        return _KIND.splits_of(root) if labels is None else coview.table_splits(labels, parameters)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        path = os.fsdecode(self._paths[index])
        return coview.Sample(
            {"image": decode(self.root / path, self.decode_size, bits=self._bits)} if "image" in modalities else {},
            id=path,
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
            group=None if self.groups is None else self.groups[index],
        )
