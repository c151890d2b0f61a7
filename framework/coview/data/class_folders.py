"""Files in folders, one subfolder a class or none: which there are, and which of them are for the test."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.content_version import content_version
from coview.data.evenly import evenly
from coview.data.split import seeded_split, split_notes
from coview.data.split_folders import find_split_folders
from coview.errors import CoviewError, SampleError, few
from coview.plugins.home import expanded

_EXAMPLES = 8


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
        folder = expanded(root)
        if not folder.is_dir():
            fault = "it is a file, not a folder" if folder.exists() else "there is no such folder"
            raise CoviewError(f"{self.name} folder {root}: {fault}", hint=self.expected)
        return folder

    def is_one(self, name: str) -> bool:
        """Whether a file's name says that it is one; hidden ones are not."""
        return name.lower().endswith(self.suffixes) and not name.startswith(".")

    def below(self, folder: Path) -> Iterator[str]:
        """Paths relative to a folder, with ``/``; symbolic links are followed, each real folder once."""
        return (path for path in _files_below(folder) if self.is_one(path.rpartition("/")[2]))

    def splits_of(self, root: Any) -> tuple[str, ...]:
        """The splits that a folder has: "train" and "test", and "validation" where there is one of its own beside them.

        Nothing is wrong with a folder that is none: that shows when the data are read.
        """
        try:
            found = find_split_folders(expanded(root), self.name)
        except (OSError, TypeError, CoviewError):
            found = None
        has = found is not None and "validation" in found.of_split
        return ("train", "validation", "test") if has else ("train", "test")


@dataclass(frozen=True)
class FileListing:
    """The files of a split.

    Attributes:
        paths: Relative to the folder, with ``/``.
        classes: Their names; None where there are none.
        labels: For each file its index into the classes, -1 for none.
        groups: For each file what must not cross a split, where that is known.
        version: Of all splits: see :func:`coview.content_version`.
        notes: What was found and left out, in sentences: see :class:`coview.HasNotes`.
        examples: A few files of all splits, the same for each split.
        unreadable: Which files are known not to be readable: see :class:`coview.KnowsUnreadable`.
    """

    paths: list[str]
    classes: tuple[str, ...] | None
    labels: np.ndarray | None
    groups: list[str] | None = None
    version: str = ""
    notes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    unreadable: Mapping[int, SampleError] = field(default_factory=dict)

    def split(self, split: str, *, fraction: float, seed: int) -> FileListing:
        """The "train" or the "test" part of a seeded split, with no group on both sides, or stratified by class."""
        return self.parts(fraction=fraction, seed=seed)[split]

    def parts(self, *, fraction: float, seed: int) -> dict[str, FileListing]:
        """Both parts of that split, each with notes of what the split could not do."""
        train, test = seeded_split(
            len(self.paths), fraction=fraction, seed=seed, labels=self.labels, groups=self.groups
        )
        said = split_notes(train, test, fraction=fraction, labels=self.labels, classes=self.classes, groups=self.groups)
        whole = replace(self, notes=(*self.notes, *said))
        return {"train": whole.rows(train), "test": whole.rows(test)}

    def rows(self, chosen: Sequence[int] | np.ndarray) -> FileListing:
        """Some of the files."""
        return replace(
            self,
            paths=[self.paths[i] for i in chosen],
            labels=None if self.labels is None else self.labels[chosen],
            groups=None if self.groups is None else [self.groups[i] for i in chosen],
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
    """The files of a split, by its own subfolder, or by a seeded split of all.

    Subfolders are splits by these names, in small letters or capitals: ``train`` or ``training``; ``test`` or
    ``testing``; ``validation``, ``valid``, ``val`` or ``dev``, which is tested on where there is no ``test``. Names of
    classes are composed (Unicode's NFC), so that those of a copy by macOS are the same.

    Args:
        root: The folder.
        kind: What is looked for.
        split: "train", "test", or "validation" where :meth:`FileKind.splits_of` has it.
        fraction: Share of the files held out, where the folder has no splits of its own.
        seed: Of that split.
        group_of: Says of a file what must not be on both sides of that split, such as its content. Absent: any file
            may be on either.

    Raises:
        CoviewError: If there are no files, or it is not clear what the classes are.
    """
    parts, notes = _parts(root, kind, fraction=fraction, seed=seed, group_of=group_of)
    if split not in parts:
        raise CoviewError(f"{kind.name} folder {root} has no {split} split of its own, only {' and '.join(parts)}")
    return part_of_all(root, parts, split, notes, with_groups=False)


def part_of_all(
    root: Path, parts: Mapping[str, FileListing], split: str, notes: tuple[str, ...], *, with_groups: bool
) -> FileListing:
    """A split with what is said of all of them: version, notes and examples.

    Args:
        root: The folder that paths begin in.
        parts: Every split.
        split: Which of them.
        notes: What to say.
        with_groups: Whether groups are a fact of their own, as a table's are, and go into the version. Those that are
            made of the files' content are in it already.
    """
    rows = [
        (
            name,
            path,
            None
            if part.classes is None or part.labels is None or part.labels[at] < 0
            else part.classes[part.labels[at]],
            *((None if part.groups is None else part.groups[at],) if with_groups else ()),
        )
        for name, part in parts.items()
        for at, path in enumerate(part.paths)
    ]
    paths = [path for part in parts.values() for path in part.paths]
    version = content_version(len(rows), "files", rows, files=(os.path.join(root, path) for path in paths))
    examples = tuple(paths[at] for at in evenly(len(paths), _EXAMPLES))
    return replace(parts[split], version=version, notes=notes, examples=examples)


def _parts(
    root: Path, kind: FileKind, *, fraction: float, seed: int, group_of: Callable[[Path], str] | None
) -> tuple[Mapping[str, FileListing], tuple[str, ...]]:
    """Every split, and what to say."""
    folders = find_split_folders(root, f"{kind.name} folder {root}")
    left_out = _LeftOut(kind)
    if folders is None:
        whole = _listing(root, kind, left_out)
        groups = None if group_of is None else [group_of(root / path) for path in whole.paths]
        if groups is not None and len(set(groups)) < len(groups):
            whole = replace(whole, groups=groups)
        parts = whole.parts(fraction=fraction, seed=seed)
        return parts, (*left_out.notes(), *parts["train"].notes)
    listed = {part: _listing(root / name, kind, left_out) for part, name in folders.of_split.items()}
    classes, train = listed["train"].classes, folders.of_split["train"]
    listed = {
        part: found if part == "train" else _in_classes(found, classes, root / folders.of_split[part], train)
        for part, found in listed.items()
    }
    parts = {
        part: replace(found, paths=[f"{folders.of_split[part]}/{path}" for path in found.paths])
        for part, found in listed.items()
    }
    return parts, (folders.said, *left_out.notes())


def _files_below(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(parent).relative_to(folder).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        yield from (prefix + name for name in files if not name.startswith("."))


@dataclass
class _LeftOut:
    """Files that are none of the kind, by what their names end in."""

    kind: FileKind
    examples: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def chosen(self, paths: Iterator[str], folder: Path) -> list[str]:
        """Those of the kind, sorted; the others are counted."""
        found = []
        for path in paths:
            name = path.rpartition("/")[2]
            if self.kind.is_one(name):
                found.append(path)
            else:
                called = f"{folder.name}/{path}"
                ending = os.path.splitext(name)[1].lower() or "no ending"
                self.counts[ending] += 1
                self.examples[ending] = min(self.examples.get(ending, called), called)
        return sorted(found)

    def notes(self) -> tuple[str, ...]:
        if not self.counts:
            return ()
        order = sorted(self.counts, key=lambda ending: (-self.counts[ending], ending))
        listed = few([f"{self.counts[ending]:,} {ending} ({self.examples[ending]})" for ending in order])
        return (f"left out, as no {self.kind.files} by the ending: {listed}",)


def _listing(folder: Path, kind: FileKind, left_out: _LeftOut) -> FileListing:
    entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda entry: entry.name)
    subfolders = [entry.name for entry in entries if entry.is_dir()]
    loose = left_out.chosen((entry.name for entry in entries if entry.is_file()), folder)
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
    by_folder = {name: left_out.chosen(_files_below(folder / name), folder / name) for name in subfolders}
    if not any(by_folder.values()):
        raise CoviewError(f"{what}: no {kind.files} below {few(subfolders)}", hint=kind.expected)
    empty = [name for name, files in by_folder.items() if not files]
    if empty:
        raise CoviewError(
            f"{what}: no {kind.files} in {few(empty)}, while {len(subfolders) - len(empty)} class folders have some",
            hint=f"put {kind.files} there or remove the folder",
        )
    if len(subfolders) == 1:
        raise CoviewError(
            f"{what} has exactly one class, {subfolders[0]!r}: a classifier needs at least two",
            hint=f"for {kind.files} without classes give root = {str(folder / subfolders[0])!r}; {kind.expected}",
        )
    names = [unicodedata.normalize("NFC", name) for name, files in by_folder.items() for _ in files]
    classes, labels = np.unique(np.array(names, dtype=object), return_inverse=True)
    return FileListing(
        [f"{name}/{path}" for name, files in by_folder.items() for path in files], tuple(classes.tolist()), labels
    )


def _in_classes(listing: FileListing, classes: tuple[str, ...] | None, folder: Path, train: str) -> FileListing:
    """The same with labels that index the training split's classes."""
    if listing.classes is None or classes is None:
        if listing.classes == classes:
            return listing
        has, lacks = (folder.name, train) if classes is None else (train, folder.name)
        raise CoviewError(f"{folder.parent}: {has}/ has class folders but {lacks}/ has none")
    unknown = [name for name in listing.classes if name not in classes]
    if unknown:
        raise CoviewError(f"{folder}: the classes {few(unknown)} are not among those of {train}/: {', '.join(classes)}")
    assert listing.labels is not None
    places = np.array([classes.index(name) for name in listing.classes])
    return replace(listing, classes=classes, labels=places[listing.labels])
