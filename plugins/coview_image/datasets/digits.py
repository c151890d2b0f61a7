"""scikit-learn's digits: in the wheel, and learnt in seconds."""

from __future__ import annotations

from functools import cache
from typing import Annotated, ClassVar

import numpy as np
import sklearn
from annotated_types import Gt, Lt
from sklearn.datasets import load_digits

import coview


class Digits:
    """1797 handwritten digits of 8×8 pixels and 16 grey levels, as RGB.

    Raw pixels already reach 98 % by nearest neighbours: good for a smoke run, useless as evidence. The data
    has no official split; a seeded one keeps the share of each class.

    Args:
        split: "train" or "test".
        test_fraction: Share of the pictures held out for the test split.
        split_seed: Seed of the split, on purpose not the run's: the same test split for every seed of a
            comparison.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image",)
    groups = None
    classes: tuple[str, ...] | None = tuple("0123456789")
    citation = (
        "E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning "
        "Repository, doi:10.24432/C50P49"
    )
    licence = "CC BY 4.0"
    version = f"scikit-learn {sklearn.__version__}"

    def __init__(
        self,
        *,
        split: str = "train",
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        images, target = _read()
        train, test = coview.seeded_split(len(target), fraction=test_fraction, seed=split_seed, labels=target)
        self._ids = np.asarray(train if split == "train" else test)
        grey = np.round(images[self._ids] * (255 / 16)).astype(np.uint8)
        self._images = np.repeat(grey[..., None], 3, axis=-1)
        self.labels = target[self._ids]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return coview.Sample({"image": self._images[index]}, id=int(self._ids[index]), label=int(self.labels[index]))


@cache
def _read() -> tuple[np.ndarray, np.ndarray]:
    """Pictures and classes, parsed once in a process: each split is of the same file of text."""
    data = load_digits()
    return data.images, data.target
