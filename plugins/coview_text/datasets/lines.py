"""A file with one text a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.rows import Row, TextRows, own_split, version_of


class TextLines(TextRows):
    """One text a line, without labels. Blank lines are skipped.

    Args:
        split: "train" or "test".
        path: The file; packed by gzip if it ends in .gz.
        test_path: The file of the test split. Absent: a part of ``path``, with no line on both sides.
        encoding: Encoding of the files. UTF-16 is recognised by its mark.
        test_fraction: Share of the lines held out, without ``test_path``.
        split_seed: Seed of that split, on purpose not the run's: the same test split for every seed of a comparison.
    """

    labelled = False

    def __init__(
        self,
        *,
        split: str = "train",
        path: Path,
        test_path: Path | None = None,
        encoding: str = "utf-8",
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.1,
        split_seed: int = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        if test_path is not None:
            parts = {"train": _rows(path, encoding), "test": _rows(test_path, encoding)}
        else:
            parts, self.notes = own_split(_rows(path, encoding), fraction=test_fraction, seed=split_seed)
        super().__init__(parts[split])
        self.version = version_of(parts)


def _rows(path: Path, encoding: str) -> list[Row]:
    lines = enumerate(coview.read_text(path, encoding).split("\n"), start=1)
    rows = [Row(line.strip(), f"{path.name}:{number}") for number, line in lines if line.strip()]
    if not rows:
        raise coview.CoviewError(f"text_lines: {path} has no line with text")
    return rows
