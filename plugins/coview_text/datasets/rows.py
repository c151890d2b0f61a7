"""Texts in memory, with what is known about each, and files of them; what the data sets here have in common."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

import coview


@dataclass(frozen=True, slots=True)
class Row:
    """One text.

    Attributes:
        text: The text.
        id: Unique in the data set.
        label: The name of its class.
        score: A number that people have given it.
        group: What must not cross a split.
        fault: Why it cannot be used; empty if it can.
    """

    text: str
    id: str
    label: str | None = None
    score: float | None = None
    group: str | None = None
    fault: str = ""


class TextRows:
    """A data set of texts that fit into memory.

    Args:
        rows: In their order.
        classes: The names of the classes, where there are labels; those of the training split.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("text",)
    citation = ""
    licence = "the owner's"
    version = ""
    pairs: coview.Pairs | None = None

    def __init__(self, rows: Sequence[Row], classes: tuple[str, ...] | None = None) -> None:
        self.classes = classes
        # one block of bytes: a list of strings would be copied into every forked process as it is touched
        texts = [row.text.encode("utf-8", "replace") for row in rows]
        self._bytes = np.frombuffer(b"".join(texts), dtype=np.uint8)
        self._ends = np.cumsum([0, *map(len, texts)])
        self._ids = np.array([row.id.encode("utf-8", "surrogatepass") for row in rows], dtype=np.bytes_)
        places = {name: place for place, name in enumerate(classes or ())}
        labels = [places[row.label] if row.label in places and not row.fault else -1 for row in rows]
        self.labels = np.array(labels) if classes else None
        scored = any(row.score is not None for row in rows)
        self._scores = np.array([np.nan if row.score is None else row.score for row in rows]) if scored else None
        grouped = any(row.group is not None for row in rows)
        groups = [(row.group or "").encode("utf-8", "surrogatepass") for row in rows]
        self._groups = np.array(groups, dtype=np.bytes_) if grouped else None
        self._faults = {index: row.fault for index, row in enumerate(rows) if row.fault}

    @property
    def groups(self) -> list[str] | None:
        """Of every row, where there are groups."""
        return None if self._groups is None else [group.decode("utf-8", "surrogatepass") for group in self._groups]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int, /) -> coview.Sample:
        identity = self._ids[index].decode("utf-8", "surrogatepass")
        index = range(len(self))[index]
        if index in self._faults:
            raise coview.SampleError(identity, self._faults[index])
        text = self._bytes[self._ends[index] : self._ends[index + 1]].tobytes().decode()
        return coview.Sample(
            {"text": text},
            id=identity,
            label=None if self.labels is None else int(self.labels[index]),
            score=None if self._scores is None else float(self._scores[index]),
            group=None if self._groups is None else self._groups[index].decode("utf-8", "surrogatepass"),
        )


def read_text(path: Path, encoding: str, what: str) -> str:
    """The content of a file, universal newlines, without a byte order mark.

    Raises:
        CoviewError: If it is not there, or not in that encoding, with the line.
    """
    try:
        if (given := path.expanduser()).exists() and not given.is_file():
            fault = "it is a folder" if given.is_dir() else "it is no file"
            raise coview.CoviewError(f"{what}: {path}: {fault}")
        data = given.read_bytes()
    except OSError as error:
        raise coview.CoviewError(f"{what}: {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise ValueError(f'encoding: there is no encoding "{encoding}"') from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise coview.CoviewError(
            f"{path}:{line}: this is not {encoding}: byte 0x{data[error.start]:02x}",
            hint='give its encoding, such as encoding = "latin-1" or "cp1252"',
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def class_names(rows: Iterable[Row]) -> tuple[str, ...] | None:
    """The names of the classes, sorted: as numbers where all are; None where no row has one."""
    names = {row.label for row in rows if row.label is not None and not row.fault}
    if not names:
        return None
    try:
        return tuple(sorted(names, key=int))
    except ValueError:
        return tuple(sorted(names))


def own_split(rows: Sequence[Row], split: str, *, fraction: float, seed: int, what: str) -> list[Row]:
    """One part of a seeded split, stratified by class, with no group and no equal texts on both sides.

    Args:
        rows: All rows.
        split: "train" or "test".
        fraction: Share of the test split.
        seed: Of the split.
        what: The data's name, for messages.

    Raises:
        CoviewError: If a class has one text only, or there is too little for two parts.
    """
    good = [row for row in rows if not row.fault]
    _check_classes(good, what)
    labels = [row.label for row in good] if class_names(good) else None
    texts = Counter(row.text for row in good)
    grouped = any(row.group is not None for row in good) or max(texts.values(), default=0) > 1
    groups = [row.group if row.group is not None else "=" + row.text for row in good] if grouped else None
    train, test = coview.seeded_split(len(good), fraction=fraction, seed=seed, labels=labels, groups=groups)
    chosen = {id(good[index]) for index in (train if split == "train" else test)}
    # what cannot be read is named once, with the training split
    return [row for row in rows if (split == "train" if row.fault else id(row) in chosen)]


def version_of(rows: Sequence[Row]) -> str:
    """How many texts, and a digest of them and what is known about them."""
    digest = hashlib.blake2b(digest_size=6)
    for row in rows:
        digest.update(f"{row.text}\0{row.label}\0{row.score}\0".encode("utf-8", "replace"))
    return f"{len(rows)} texts {digest.hexdigest()}"


def _check_classes(rows: Sequence[Row], what: str) -> None:
    alone = [name for name, count in Counter(row.label for row in rows).items() if count == 1 and name is not None]
    if alone:
        named = coview.few([f'"{name}"' for name in alone])
        raise coview.CoviewError(
            f"{what}: {len(alone)} class{'es have' if len(alone) > 1 else ' has'} one text only, which cannot be in "
            f"both splits: {named}",
            hint="remove them, add texts, or give a file of its own for the test split",
        )
