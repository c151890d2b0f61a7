"""Files in folders, one subfolder a class or none: which there are, and which of them are for the test."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coview.data.split import seeded_split
from coview.errors import CoviewError, few

_TEST_NAMES = ("test", "val")


@dataclass(frozen=True)
class FileKind:
    """What files are looked for, and what messages call them.

    Attributes:
        name: Of the folder, before that word: "image".
        files: Its files, as a plural: "pictures".
        suffixes: What their names end in, whether large or small.
        expected: Which layouts there are, for the hint.
    """

    name: str
    files: str
    suffixes: tuple[str, ...]
    expected: str

    def root(self, root: Path) -> Path:
        """The folder with ``~`` written out.

        Raises:
            CoviewError: If it is not there, or no folder.
        """
        folder = root.expanduser()
        if not folder.is_dir():
            fault = "it is a file, not a folder" if folder.exists() else "there is no such folder"
            raise CoviewError(f"{self.name} folder {root}: {fault}", hint=self.expected)
        return folder

    def is_one(self, name: str) -> bool:
        """Whether a file's name says that it is one; hidden ones are not."""
        return name.lower().endswith(self.suffixes) and not name.startswith(".")

    def below(self, folder: Path) -> Iterator[str]:
        """Paths relative to a folder, with ``/``; symbolic links are followed, each real folder once."""
        seen: set[str] = set()
        for parent, folders, files in os.walk(folder, followlinks=True):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (Path(parent, name).relative_to(folder).as_posix() for name in files if self.is_one(name))


@dataclass(frozen=True)
class FileListing:
    """Files below a folder.

    Attributes:
        paths: Relative to the folder, with ``/``.
        classes: Their names; None where there are none.
        labels: For each file its index into the classes.
        groups: For each file what must not cross a split, where that is known.
    """

    paths: list[str]
    classes: tuple[str, ...] | None
    labels: np.ndarray | None
    groups: list[str] | None = None

    @property
    def version(self) -> str:
        """How many files, and a digest of their paths."""
        digest = hashlib.blake2b("\0".join(self.paths).encode("utf-8", "surrogateescape"), digest_size=6)
        return f"{len(self.paths)} files {digest.hexdigest()}"

    def split(self, split: str, *, fraction: float, seed: int) -> FileListing:
        """The "train" or the "test" part of a seeded split, with no group on both sides, or stratified by class."""
        train, test = seeded_split(
            len(self.paths), fraction=fraction, seed=seed, labels=self.labels, groups=self.groups
        )
        chosen = train if split == "train" else test
        return FileListing(
            [self.paths[i] for i in chosen],
            self.classes,
            None if self.labels is None else self.labels[chosen],
            None if self.groups is None else [self.groups[i] for i in chosen],
        )


def split_listing(
    root: Path,
    kind: FileKind,
    split: str,
    *,
    fraction: float,
    seed: int,
    group_of: Callable[[Path], str] | None = None,
) -> FileListing:
    """The files of a split, by its own subfolder (``train``; ``test`` or ``val``), or by a seeded split of all.

    Args:
        root: The folder.
        kind: What is looked for.
        split: "train" or "test".
        fraction: Share of the files held out, where the folder has no splits of its own.
        seed: Of that split.
        group_of: Says of a file what must not be on both sides of that split, such as its content. Absent: any file
            may be on either.

    Raises:
        CoviewError: If there are no files, or it is not clear what the classes are.
    """
    held_out = next((name for name in _TEST_NAMES if (root / name).is_dir()), None)
    if held_out is None or not (root / "train").is_dir():
        listing = _listing(root, kind)
        groups = None if group_of is None else [group_of(root / path) for path in listing.paths]
        if groups is not None and len(set(groups)) < len(groups):
            listing = replace(listing, groups=groups)
        return listing.split(split, fraction=fraction, seed=seed)
    name, listing = "train", _listing(root / "train", kind)
    if split == "test":
        name, listing = held_out, _in_classes(_listing(root / held_out, kind), listing.classes, root / held_out)
    return replace(listing, paths=[f"{name}/{path}" for path in listing.paths])


def _listing(folder: Path, kind: FileKind) -> FileListing:
    entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda entry: entry.name)
    subfolders = [entry.name for entry in entries if entry.is_dir()]
    loose = [entry.name for entry in entries if entry.is_file() and kind.is_one(entry.name)]
    what = f"{kind.name} folder {folder}"
    if not subfolders and not loose:
        found = f"it has {len(entries)} other files, such as {entries[0].name}" if entries else "it is empty"
        raise CoviewError(f"{what} has no {kind.files}: {found}", hint=kind.expected)
    if not subfolders:
        return FileListing(loose, None, None)
    if loose:
        raise CoviewError(
            f"{what} has {kind.files} of its own ({loose[0]}) beside the subfolders {few(subfolders)}: it is not clear "
            "whether the subfolders are classes",
            hint=kind.expected,
        )
    by_class = {name: sorted(kind.below(folder / name)) for name in subfolders}
    if not any(by_class.values()):
        raise CoviewError(f"{what}: no {kind.files} below {few(subfolders)}", hint=kind.expected)
    empty = [name for name, files in by_class.items() if not files]
    if empty:
        raise CoviewError(
            f"{what}: no {kind.files} in {few(empty)}, while {len(subfolders) - len(empty)} class folders have some",
            hint=f"put {kind.files} there or take the folder away",
        )
    if len(subfolders) == 1:
        raise CoviewError(
            f"{what} has exactly one class, {subfolders[0]!r}: a classifier needs at least two",
            hint=f"for {kind.files} without classes give root = {str(folder / subfolders[0])!r}; {kind.expected}",
        )
    return FileListing(
        [f"{name}/{path}" for name, files in by_class.items() for path in files],
        tuple(by_class),
        np.repeat(np.arange(len(by_class)), [len(files) for files in by_class.values()]),
    )


def _in_classes(listing: FileListing, classes: tuple[str, ...] | None, folder: Path) -> FileListing:
    """The same with labels that index the training split's classes."""
    if listing.classes is None or classes is None:
        if listing.classes == classes:
            return listing
        has, lacks = (folder.name, "train") if classes is None else ("train", folder.name)
        raise CoviewError(f"{folder.parent}: {has}/ has class folders but {lacks}/ has none")
    unknown = [name for name in listing.classes if name not in classes]
    if unknown:
        raise CoviewError(f"{folder}: the classes {few(unknown)} are not among those of train/: {', '.join(classes)}")
    assert listing.labels is not None
    places = np.array([classes.index(name) for name in listing.classes])
    return replace(listing, classes=classes, labels=places[listing.labels])
