"""Pictures in folders, one subfolder a class or none: the layout most people already have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt

import coview
from coview_image.decode import SUFFIXES, decode

_KIND = coview.FileKind(
    name="image",
    files="pictures",
    suffixes=SUFFIXES,
    expected="expected are JPEG, PNG or WebP files in one subfolder for each class (root/cat/1.jpg, root/dog/2.jpg), "
    "or all directly in the folder, without classes; either may lie in train/ and test/ (or val/)",
)


class ImageFolder:
    """JPEG, PNG and WebP files in subfolders of a folder, one for each class; or in the folder itself,
    without classes.

    If the folder has ``train`` and ``test`` subfolders, these are the splits (``val`` where there is no
    ``test``; a ``val`` beside a ``test`` is left unused); otherwise a seeded split is made, stratified by
    class. Hidden files and folders are passed over. A sample's id is its path below the folder, and pictures
    are decoded when asked for.

    Args:
        split: "train" or "test".
        root: The folder.
        test_fraction: Share of the pictures held out, where the folder has no splits of its own.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a
            comparison.
        decode_size: Decode JPEG files at a reduced scale, the smallest of 1, 1/2, 1/4 and 1/8 that leaves
            both sides at least so many pixels: several times faster for large photographs. Absent: full size.
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
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
    ) -> None:
        coview.check_split(split, self.splits)
        self.root, self.decode_size = _KIND.root(root), decode_size
        listing = coview.split_listing(self.root, _KIND, split, fraction=test_fraction, seed=split_seed)
        # One array of bytes: a list of strings would be copied into every forked process as it is touched.
        self._paths = np.array([os.fsencode(path) for path in listing.paths], dtype=np.bytes_)
        self.classes, self.labels, self.version = listing.classes, listing.labels, listing.version
        self.groups = listing.groups

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        path = os.fsdecode(self._paths[index])
        return coview.Sample(
            {"image": decode(self.root / path, self.decode_size)},
            id=path,
            label=None if self.labels is None else int(self.labels[index]),
        )
