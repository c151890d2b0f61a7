"""Texts in memory, with what is known about each; what the data sets here have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import coview

JOINED = "texts are lists of tokens, which are joined by spaces"
"""What a data set says of a column of lists."""


def text_of(value: Any) -> str:
    """The text that a value of a column is: a list of tokens is joined by spaces.

    Raises:
        ValueError: If it is neither, or there is nothing in it: what it is, to stand after the column's name.
    """
    if isinstance(value, list | tuple) and all(isinstance(token, str) for token in value):
        value = " ".join(value)
    if isinstance(value, str):
        if value.strip():
            return value
        raise ValueError("is empty")
    if isinstance(value, list | tuple):
        other = next(token for token in value if not isinstance(token, str))
        raise ValueError(f"is a list with {_shown(other)} in it, and has to be a text or a list of tokens")
    raise ValueError(f"is not a text but {_shown(value)}")


def _shown(value: Any) -> str:
    shown = repr(value)
    return f"the {type(value).__name__} {shown[:40]}{'…' * (len(shown) > 40)}"


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
        second: The other text of a judged pair, whose similarity the score is.
    """

    text: str
    id: str
    label: str | None = None
    score: float | None = None
    group: str | None = None
    fault: str = ""
    second: str = ""


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
    notes: tuple[str, ...] = ()
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
    def unreadable(self) -> dict[int, coview.SampleError]:
        """The rows that cannot be used."""
        return {row: self._fault(row) for row in self._faults}

    def _fault(self, row: int) -> coview.SampleError:
        return coview.SampleError(self._ids[row].decode("utf-8", "surrogatepass"), self._faults[row])

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
            raise self._fault(index)
        text = self._bytes[self._ends[index] : self._ends[index + 1]].tobytes().decode()
        return coview.Sample(
            {"text": text},
            id=identity,
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
            score=None if self._scores is None else float(self._scores[index]),
            group=None if self._groups is None else self._groups[index].decode("utf-8", "surrogatepass"),
        )


def class_names(rows: Iterable[Row]) -> tuple[str, ...] | None:
    """The names of the classes, sorted: as numbers where all are; None where no row has one."""
    return coview.class_order(row.label for row in rows if row.label is not None and not row.fault) or None


def own_split(rows: Sequence[Row], *, fraction: float, seed: int) -> tuple[dict[str, list[Row]], tuple[str, ...]]:
    """Both parts of a seeded split, stratified by class, with no group and no equal texts on both sides.

    Args:
        rows: All rows.
        fraction: Share of the test split.
        seed: Of the split.

    Returns:
        The rows of "train" and "test", and what to say about the split.

    Raises:
        CoviewError: If there is too little for two parts, or no class has two texts.
    """
    good = [row for row in rows if not row.fault]
    classes = class_names(good)
    place = {name: at for at, name in enumerate(classes or ())}
    labels = np.array([-1 if row.label is None else place[row.label] for row in good]) if classes else None
    texts = Counter(row.text for row in good)
    grouped = any(row.group is not None for row in good) or max(texts.values(), default=0) > 1
    groups = [row.group if row.group is not None else "=" + row.text for row in good] if grouped else None
    train, test = coview.seeded_split(len(good), fraction=fraction, seed=seed, labels=labels, groups=groups)
    notes = coview.split_notes(train, test, fraction=fraction, labels=labels, classes=classes, groups=groups)
    held_out = {id(good[index]) for index in test}
    # what cannot be read is named once, with the training split
    return {
        "train": [row for row in rows if id(row) not in held_out],
        "test": [row for row in rows if id(row) in held_out],
    }, notes


def version_of(parts: Mapping[str, Sequence[Row]]) -> str:
    """How many rows there are in all splits, and a digest of them and what is known about them."""
    known = (
        (split, row.text, row.second, row.label, row.score, row.group, row.fault)
        for split, rows in parts.items()
        for row in rows
    )
    return coview.content_version(sum(map(len, parts.values())), "texts", known)


def fault_notes(parts: Mapping[str, Sequence[Row]]) -> tuple[str, ...]:
    """Says ahead which rows cannot be used."""
    faulty = [row for rows in parts.values() for row in rows if row.fault]
    if not faulty:
        return ()
    named = coview.few([f"{row.id} ({row.fault})" for row in faulty])
    return (f"{len(faulty):,} of {sum(map(len, parts.values())):,} texts cannot be used: {named}",)
