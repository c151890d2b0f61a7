"""Pictures with captions: what a model of pictures and texts is trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt, Lt

import coview
from coview_image.decode import decode


class CaptionedImages:
    """Pictures of a folder and a text for each, from a table with a row for each caption.

    A picture may have several captions: each is a sample, and all of a picture are in one split. Pictures are decoded
    when asked for.

    Args:
        split: "train" or "test".
        root: The folder that the paths of the table begin in.
        captions: The table, CSV or TSV with a header; absent: ``captions.csv`` in the folder.
        path_column: Its column of the pictures' paths.
        caption_column: Its column of texts.
        label_column: Its column of classes; absent: there are none.
        test_fraction: Share of the pictures held out.
        split_seed: Seed of that split, on purpose not the run's.
        decode_size: As of ``image_folder``: decode JPEG files at a reduced scale.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image", "text")
    citation = ""
    licence = "the owner's"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        captions: Path | None = None,
        path_column: str = "path",
        caption_column: str = "caption",
        label_column: str | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
        decode_size: Annotated[int, Gt(0)] | None = None,
    ) -> None:
        if split not in self.splits:
            raise ValueError(f"split has to be one of {', '.join(self.splits)}, got {split!r}")
        self.root, self.decode_size = root.expanduser(), decode_size
        table = self.root / "captions.csv" if captions is None else captions.expanduser()
        rows = coview.read_table(table, [name for name in (path_column, caption_column, label_column) if name])
        rows.sort(key=lambda row: (row[path_column], row[caption_column]))
        paths = [row[path_column] for row in rows]
        texts = [row[caption_column] for row in rows]
        names = None if label_column is None else [row[label_column] for row in rows]
        train, test = coview.seeded_split(
            len(rows), fraction=test_fraction, seed=split_seed, labels=names, groups=paths
        )
        chosen = train if split == "train" else test
        # blocks of bytes: a list of strings would be copied into every forked process as it is touched
        self._paths = np.array([paths[row].encode() for row in chosen], dtype=np.bytes_)
        encoded = [texts[row].encode() for row in chosen]
        self._text, self._ends = np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum([0, *map(len, encoded)])
        self._rows = chosen
        self.classes: tuple[str, ...] | None = None
        self.labels: np.ndarray | None = None
        if names is not None:
            classes, labels = np.unique(names, return_inverse=True)
            self.classes, self.labels = tuple(classes.tolist()), labels[chosen]
        digest = hashlib.blake2b("\n".join(paths + texts).encode(), digest_size=6).hexdigest()
        self.version = f"{len(rows)} captions {digest}"

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int, /) -> coview.Sample:
        index = range(len(self))[index]
        path = self._paths[index].decode()
        text = self._text[self._ends[index] : self._ends[index + 1]].tobytes().decode()
        return coview.Sample(
            {"image": decode(self.root / path, self.decode_size), "text": text},
            id=f"{path}#{self._rows[index]}",
            label=None if self.labels is None else int(self.labels[index]),
            group=path,
        )
