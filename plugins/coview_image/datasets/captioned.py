"""Pictures with captions, kept in little memory: what the data sets of them share."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import coview
from coview_image.decode import decode
from coview_image.depth import settled_bits


@dataclass(frozen=True)
class Captioned:
    """A picture and a text.

    Attributes:
        path: Of the picture, below the data's folder.
        caption: The text.
        label: The name of its class; None where it has none.
        group: What must not be on both sides of the split.
    """

    path: str
    caption: str
    label: str | None
    group: str


class CaptionedPictures:
    """The base of data sets of pictures with captions. Pictures are decoded when asked for.

    Args:
        root: The folder that paths begin in.
        rows: All that there are; their order is of no matter.
        split: "train" or "test".
        test_fraction: Share held out.
        split_seed: Seed of the split.
        decode_size: Decode JPEG files at a reduced scale, as of ``image_folder``.
        bits: Of 16-bit greys, as of ``image_folder``.
        rows_of: Split to its rows, where the data have splits of their own; then nothing is held out.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image", "text")

    def __init__(
        self,
        root: Path,
        rows: Sequence[Captioned],
        *,
        split: str,
        test_fraction: float,
        split_seed: int,
        decode_size: int | None = None,
        bits: int | None = None,
        rows_of: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        coview.check_split(split, self.splits if rows_of is None else tuple(rows_of))
        self.root, self.decode_size = root, decode_size
        order = sorted(range(len(rows)), key=lambda row: (rows[row].path, rows[row].caption))
        rows = [rows[row] for row in order]
        classes = coview.class_order(row.label for row in rows if row.label is not None) or None
        place = {name: at for at, name in enumerate(classes or ())}
        labels = None if classes is None else np.array([-1 if r.label is None else place[r.label] for r in rows])
        groups = [row.group for row in rows]
        self.notes: tuple[str, ...] = ()
        if rows_of is None:
            train, test = coview.seeded_split(
                len(rows), fraction=test_fraction, seed=split_seed, labels=labels, groups=groups
            )
            parts: Mapping[str, np.ndarray] = {"train": train, "test": test}
            self.notes = coview.split_notes(
                train, test, fraction=test_fraction, labels=labels, classes=classes, groups=groups
            )
        else:
            parts = {name: np.sort(np.argsort(order)[chosen]) for name, chosen in rows_of.items()}
        self._rows = parts[split]
        chosen = [rows[row] for row in self._rows]
        # blocks of bytes: a list of strings would be copied into every forked process as it is touched
        self._paths = np.array([os.fsencode(row.path) for row in chosen], dtype=np.bytes_)
        self._groups = np.array([row.group.encode() for row in chosen], dtype=np.bytes_)
        encoded = [row.caption.encode() for row in chosen]
        self._text, self._ends = np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum([0, *map(len, encoded)])
        self.classes = classes
        self.labels = None if labels is None else labels[self._rows]
        paths = sorted({row.path for row in rows})
        self._bits = settled_bits([(path, root / path) for path in paths[:: max(1, len(paths) // 8)]], bits)
        known = (
            (name, rows[at].path, rows[at].caption, rows[at].label, rows[at].group)
            for name, part in parts.items()
            for at in part
        )
        self.version = coview.content_version(len(rows), "captions", known, files=(root / path for path in paths))

    @property
    def paths(self) -> list[str]:
        """Of every row, below the folder."""
        return [os.fsdecode(path) for path in self._paths]

    @property
    def groups(self) -> list[str]:
        """Of every row."""
        return [group.decode() for group in self._groups]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        index = range(len(self))[index]
        path = os.fsdecode(self._paths[index])
        values: dict[str, Any] = {}
        if "image" in modalities:
            values["image"] = decode(self.root / path, self.decode_size, bits=self._bits)
        if "text" in modalities:
            values["text"] = self._text[self._ends[index] : self._ends[index + 1]].tobytes().decode()
        return coview.Sample(
            values,
            id=f"{path}#{self._rows[index]}",
            label=None if self.labels is None or self.labels[index] < 0 else int(self.labels[index]),
            group=self._groups[index].decode(),
        )
