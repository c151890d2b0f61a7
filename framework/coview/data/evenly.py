"""A few places that lie evenly among many: what is looked at where all would take too long."""

from __future__ import annotations

import numpy as np


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the places from 0 to below ``count``, the first and the last among them; none of none."""
    return np.unique(np.linspace(0, count - 1, most).astype(int)).tolist() if count else []
