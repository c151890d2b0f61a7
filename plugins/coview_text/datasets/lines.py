"""A file with one text a line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_text.datasets.rows import Row, TextRows, own_split, read_text, version_of


class TextLines(TextRows):
    """One text a line, without labels. Blank lines are passed over.

    Args:
        split: "train" or "test".
        path: The file.
        test_path: The file of the test split. Absent: a part of ``path``, with no line on both sides.
        encoding: Of the files.
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
            rows = _rows(test_path if split == "test" else path, encoding)
        else:
            rows = own_split(_rows(path, encoding), split, fraction=test_fraction, seed=split_seed, what=str(path))
        super().__init__(rows)
        self.version = version_of(rows)


def _rows(path: Path, encoding: str) -> list[Row]:
    lines = enumerate(read_text(path, encoding, "text_lines").split("\n"), start=1)
    rows = [Row(line.strip(), f"{path.name}:{number}") for number, line in lines if line.strip()]
    if not rows:
        raise coview.CoviewError(f"text_lines: {path} has no line with text")
    return rows
