"""The validation split of data that have none: a part of the training split, the same for every run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coview.data.split import split_rows

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
    return split_rows(n, fraction=FRACTION, seed=SEED, labels=labels, groups=groups)
