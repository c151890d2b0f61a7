"""Who has chosen what, from a folder with ``train.txt`` and ``test.txt``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

import coview
from coview_recommender.chosen import Chosen
from coview_recommender.modalities import User


class Interactions:
    """Each sample is a line: a user and an item. What users have chosen in ``train`` is the context of all samples.

    Args:
        root: The folder. A line of its files begins with the number of a user and that of an item.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("user", "item")
    classes = None
    labelled = False
    citation = licence = "unknown"

    def __init__(self, *, split: str = "train", root: Path) -> None:
        coview.check_split(split, self.splits)
        folder = coview.expanded(root)
        pairs = {name: _read(folder / f"{name}.txt") for name in self.splits}
        users, items = (int(max(of[:, column].max() for of in pairs.values())) + 1 for column in (0, 1))
        self.version = hashlib.sha256(b"".join(of.tobytes() for of in pairs.values())).hexdigest()[:16]
        self._pairs_N2, self._is_known = pairs[split], split == "train"
        self._first = 0 if split == "train" else len(pairs["train"])
        train = torch.from_numpy(np.unique(pairs["train"], axis=0))
        matrix_UI = torch.sparse_coo_tensor(train.T, torch.ones(len(train)), (users, items), check_invariants=False)
        self.context = Chosen(matrix_UI.coalesce(), torch.bincount(train[:, 0], minlength=users))

    def __len__(self) -> int:
        return len(self._pairs_N2)

    def __getitem__(self, index: int, /) -> coview.Sample:
        user, item = map(int, self._pairs_N2[index])
        values = {"user": User(user, item if self._is_known else None), "item": item}
        return coview.Sample(values, id=self._first + index, extras={"user": user, "item": item})


def _read(path: Path) -> np.ndarray:
    try:
        pairs = np.loadtxt(path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    except (OSError, ValueError) as error:
        raise coview.CoviewError(
            f"{path} cannot be read: {error}", hint="each of its lines has to begin with a user and an item, as numbers"
        ) from error
    if not len(pairs) or pairs.min() < 0:
        raise coview.CoviewError(f"{path} has {'a negative number' if len(pairs) else 'no line'}")
    return pairs
