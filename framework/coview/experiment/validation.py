"""The validation split of data that have none: a part of the training split, the same for every run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coview.data.split import seeded_split
from coview.evaluate.embedding import Embedded
from coview.evaluate.feature_rows import rows_of
from coview.evaluate.features import FeatureSplit

FRACTION = 0.1
SEED = 0


def carve_validation(
    n: int, labels: Sequence[int] | np.ndarray | None, groups: Sequence[Any] | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the training split that stay, and those that validate; no group is in both.

    Args:
        n: Rows of the training split.
        labels: The class of each, where there are classes.
        groups: The group of each, where there are groups.
    """
    return seeded_split(n, fraction=FRACTION, seed=SEED, labels=labels, groups=groups)


def carved_part(train: Embedded, name: str) -> tuple[FeatureSplit, np.ndarray]:
    """What stays of an embedded training split, or what validates, and the rows of its samples in the data.

    Args:
        train: The whole.
        name: "train" or "validation".
    """
    labels_N, groups_N = train.features.labels_N, train.features.groups_N
    rest, held = carve_validation(
        len(train.features),
        None if labels_N is None else labels_N.numpy(),
        None if groups_N is None else groups_N.numpy(),
    )
    chosen = rest if name == "train" else held
    return rows_of(train.features, chosen), train.rows[chosen]
