"""What an evaluator sees: frozen representations and what is known about each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class FeatureSplit:
    """The representations of one split, on the device that evaluators should compute on.

    Attributes:
        x_ND: float32, of shape (N, D).
        ids_N: int64 sample ids.
        labels_N: int64 class indices, where the data has them.
        scores_N: float64, where the data has them.
        groups_N: int64, equal where the data's groups are, where it has them.
        pairs_P2: int64, the rows of judged pairs, where the data has any; those that can be read.
        pair_scores_P: float64, what the pairs were judged.
        embedded_N: bool, which representations there are, where evaluators read only some rows of a split
            (:class:`coview.ReadsSomeRows`); those of the other rows are NaN. None: all.
    """

    x_ND: Tensor
    ids_N: Tensor
    labels_N: Tensor | None = None
    scores_N: Tensor | None = None
    groups_N: Tensor | None = None
    pairs_P2: Tensor | None = None
    pair_scores_P: Tensor | None = None
    embedded_N: Tensor | None = None

    def __len__(self) -> int:
        return int(self.x_ND.shape[0])


@dataclass(frozen=True)
class Features:
    """The representations of a data set, by split.

    Attributes:
        splits: Split name to its features; every split that the evaluator declared.
        classes: The class names, where the data has classes.
        carved: Whether ``validation`` is a part of the data's training split, which has none of its own.
    """

    splits: Mapping[str, FeatureSplit]
    classes: tuple[str, ...] | None = None
    carved: bool = False

    def __getitem__(self, split: str) -> FeatureSplit:
        return self.splits[split]
