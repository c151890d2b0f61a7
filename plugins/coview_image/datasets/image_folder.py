"""Pictures in folders, one subfolder a class or none: the layout most people already have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt

import coview
from coview_image.decode import decode

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

_EXPECTED = (
    "expected are JPEG, PNG or WebP files in one subfolder for each class (root/cat/1.jpg, root/dog/2.jpg), "
    "or all directly in the folder, without classes; either may lie in train/ and test/ (or val/)"
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
        if split not in self.splits:
            raise ValueError(f"split has to be one of {', '.join(self.splits)}, got {split!r}")
        self.root = root.expanduser()
        self.decode_size = decode_size
        if not self.root.is_dir():
            fault = "it is a file, not a folder" if self.root.exists() else "there is no such folder"
            raise coview.CoviewError(f"image folder {root}: {fault}", hint=_EXPECTED)
        held_out = next((name for name in ("test", "val") if (self.root / name).is_dir()), None)
        if held_out is not None and (self.root / "train").is_dir():
            listing = _list(self.root / "train")
            self.classes = listing.classes
            if split == "test":
                listing = _list(self.root / held_out).with_classes(self.classes, self.root / held_out)
            folder = self.root / ("train" if split == "train" else held_out)
            paths, labels = [f"{folder.name}/{path}" for path in listing.paths], listing.labels
        else:
            listing = _list(self.root)
            self.classes = listing.classes
            train, test = coview.seeded_split(
                len(listing.paths), fraction=test_fraction, seed=split_seed, labels=listing.labels
            )
            chosen = train if split == "train" else test
            paths = [listing.paths[i] for i in chosen]
            labels = listing.labels[chosen] if listing.labels is not None else None
        # One array of bytes: a list of strings would be copied into every forked process as it is touched.
        self._paths = np.array([os.fsencode(path) for path in paths], dtype=np.bytes_)
        self._labels = labels
        digest = hashlib.blake2b("\0".join(paths).encode("utf-8", "surrogateescape"), digest_size=6)
        self.version = f"{len(paths)} files {digest.hexdigest()}"

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        path = os.fsdecode(self._paths[index])
        return coview.Sample(
            {"image": decode(self.root / path, self.decode_size)},
            id=path,
            label=None if self._labels is None else int(self._labels[index]),
        )


@dataclass(frozen=True)
class _Listing:
    """The pictures below a folder, sorted: paths relative to it, and for each its index into the classes."""

    paths: list[str]
    labels: np.ndarray | None
    classes: tuple[str, ...] | None

    def with_classes(self, classes: tuple[str, ...] | None, folder: Path) -> _Listing:
        """The same with labels that index the training split's classes."""
        if self.classes is None or classes is None:
            if self.classes == classes:
                return self
            has, lacks = (folder.name, "train") if classes is None else ("train", folder.name)
            raise coview.CoviewError(f"{folder.parent}: {has}/ has class folders but {lacks}/ has none")
        unknown = [name for name in self.classes if name not in classes]
        if unknown:
            raise coview.CoviewError(
                f"{folder}: the classes {_few(unknown)} are not among those of train/: {', '.join(classes)}"
            )
        assert self.labels is not None
        places = np.array([classes.index(name) for name in self.classes])
        return _Listing(self.paths, places[self.labels], classes)


def _list(folder: Path) -> _Listing:
    with os.scandir(folder) as entries:
        visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    subfolders = [entry.name for entry in visible if entry.is_dir()]
    loose = [entry.name for entry in visible if entry.is_file() and _is_picture(entry.name)]
    if not subfolders and not loose:
        others = [entry.name for entry in visible]
        found = f"it has {len(others)} other files, such as {others[0]}" if others else "it is empty"
        raise coview.CoviewError(f"image folder {folder} has no pictures: {found}", hint=_EXPECTED)
    if not subfolders:
        return _Listing(loose, None, None)
    if loose:
        raise coview.CoviewError(
            f"image folder {folder} has pictures of its own ({loose[0]}) beside the subfolders "
            f"{_few(subfolders)}: it is not clear whether the subfolders are classes",
            hint=_EXPECTED,
        )
    by_class = {name: sorted(_pictures_below(folder / name)) for name in subfolders}
    if not any(by_class.values()):
        raise coview.CoviewError(f"image folder {folder}: no pictures below {_few(subfolders)}", hint=_EXPECTED)
    empty = [name for name, pictures in by_class.items() if not pictures]
    if empty:
        raise coview.CoviewError(
            f"image folder {folder}: no pictures in {_few(empty)}, while {len(subfolders) - len(empty)} "
            "class folders have some",
            hint="put pictures there or take the folder away",
        )
    if len(subfolders) == 1:
        raise coview.CoviewError(
            f"image folder {folder} has exactly one class, {subfolders[0]!r}: nothing can be told from it",
            hint=f"for pictures without classes give root = {str(folder / subfolders[0])!r}; {_EXPECTED}",
        )
    paths = [f"{name}/{path}" for name, pictures in by_class.items() for path in pictures]
    labels = np.repeat(np.arange(len(by_class)), [len(pictures) for pictures in by_class.values()])
    return _Listing(paths, labels, tuple(by_class))


def _pictures_below(folder: Path) -> Iterator[str]:
    """Relative paths with ``/``; symbolic links are followed, each real folder once."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if _is_picture(name):
                yield Path(parent, name).relative_to(folder).as_posix()


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
