"""Who has chosen what, from a folder with ``train.txt`` and ``test.txt``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

import coview
from coview_recsys.data.choices import Choices


class Interactions(Choices):
    """Choices in two files, with the split that their authors have made.

    Args:
        root: The folder of ``train.txt`` and ``test.txt``. A line begins with the number of a user and that of an item,
            both from 0. What follows in the line is not read.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def __init__(self, *, split: str = "train", root: Path) -> None:
        folder = coview.expanded(root)
        super().__init__(split, {name: _read(folder / f"{name}.txt") for name in self.splits})


def _read(path: Path) -> np.ndarray:
    try:
        pairs_N2 = np.loadtxt(path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    except (OSError, ValueError) as error:
        raise coview.CoviewError(
            f"{path} cannot be read: {error}", hint="each line has to begin with a user and an item, as numbers"
        ) from error
    if not len(pairs_N2) or pairs_N2.min() < 0:
        raise coview.CoviewError(f"{path} has {'a negative number' if len(pairs_N2) else 'no line'}")
    return pairs_N2
