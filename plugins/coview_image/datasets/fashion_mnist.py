"""Fashion-MNIST from its four IDX files, from a Debian package or the authors."""

from __future__ import annotations

import gzip
import hashlib
import math
import shutil
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

import coview

_BY_HAND = "get the four .gz files of https://github.com/zalandoresearch/fashion-mnist, and set root to their folder"
_PREFIX = {"train": "train", "test": "t10k"}

_LARGEST = 2**27
"""Bytes inside one file; the largest official one has 47,040,016."""

# Of what is inside the .gz files: Debian's and the authors' differ only in the gzip header (name and time).
_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class FashionMNIST:
    """60000 training and 10000 test pictures of clothing, 28×28 grey, in 10 balanced classes.

    Args:
        split: "train" or "test", the official ones.
        root: Folder with the four ``*-ubyte.gz`` files, which are then checked for their form only. By default what
            ``coview data fetch fashion_mnist`` has fetched, else the folder of Debian's dataset-fashion-mnist; there
            the content is checked by its SHA-256.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image",)
    groups = None
    classes: tuple[str, ...] | None = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    citation = (
        "H. Xiao, K. Rasul and R. Vollgraf (2017). Fashion-MNIST: a Novel Image Dataset for Benchmarking "
        "Machine Learning Algorithms. arXiv:1708.07747"
    )
    licence = "MIT"
    version = "2017-08-31"

    def __init__(self, *, split: str = "train", root: Path | None = None) -> None:
        coview.check_split(split, self.splits)
        images, labels = f"{_PREFIX[split]}-images-idx3-ubyte", f"{_PREFIX[split]}-labels-idx1-ubyte"
        folder = coview.resource_folder("fashion_mnist") if root is None else coview.expanded(root)
        official = root is None
        _require(folder, [f"{images}.gz", f"{labels}.gz"])
        # One read-only array each: forked loader processes share its pages.
        self._images = _read_idx(folder / f"{images}.gz", dimensions=3, official=official)
        self.labels = _read_idx(folder / f"{labels}.gz", dimensions=1, official=official)
        if len(self._images) != len(self.labels):
            raise coview.CoviewError(
                f"{folder}: {len(self._images)} pictures but {len(self.labels)} labels in the {split} split"
            )
        if len(self.labels) and self.labels.max() >= len(self.classes or ()):
            raise coview.CoviewError(f"{folder / labels}.gz: labels have to be 0 to 9, got {self.labels.max()}")
        self._first_id = 60000 if split == "test" else 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row = range(len(self))[index]
        return coview.Sample(
            {"image": self._images[row].copy()},
            id=self._first_id + row,
            label=int(self.labels[index]),
        )


def fetch(folder: Path) -> None:
    """The resource ``fashion_mnist``: the four files of the Debian package."""
    try:
        with coview.debian_files("dataset-fashion-mnist") as root:
            shutil.copytree(root / "usr/share/datasets/fashion-mnist", folder, dirs_exist_ok=True)
    except coview.CoviewError as error:
        raise coview.CoviewError(error.message, error.hint or _BY_HAND) from error


def _require(folder: Path, names: list[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise coview.CoviewError(
            f"Fashion-MNIST: {folder} has no {' and no '.join(missing)}",
            hint=f"coview data fetch fashion_mnist --again; or {_BY_HAND}",
        )


def _read_idx(path: Path, *, dimensions: int, official: bool) -> np.ndarray:
    """The array of an IDX file: bytes 0, 0, 8 (for bytes), number of dimensions; the shape; the data."""
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _corrupt(path, f"cannot be decompressed ({error})") from error
    if len(content) > _LARGEST:
        raise _corrupt(path, f"unpacks to more than {_LARGEST:,} bytes")
    if official and hashlib.sha256(content).hexdigest() != _SHA256[path.stem]:
        raise _corrupt(path, "is not the official file (its SHA-256 differs)")
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, 8, dimensions]):
        raise _corrupt(path, f"is not an IDX file of bytes in {dimensions} dimensions")
    shape = tuple(int(side) for side in np.frombuffer(content, dtype=">u4", count=dimensions, offset=4))
    if len(content) - header != math.prod(shape):
        raise _corrupt(
            path,
            f"has {len(content) - header} bytes of data where its shape {shape} wants {math.prod(shape)}",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _corrupt(path: Path, what: str) -> coview.CoviewError:
    return coview.CoviewError(f"{path} {what}", hint="fetch it again: coview data fetch fashion_mnist --again")
