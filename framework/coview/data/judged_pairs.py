"""Pairs of samples whose similarity people have judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of one split.  P pair.  A data set has them as its attribute ``pairs``.

    Attributes:
        first_P, second_P: Row numbers of the split, int64.
        score_P: How similar the two are, float64, more is more similar, on the scale of who judged.

    Raises:
        ValueError: If the three differ in length, a row is negative, or a score is not finite.
    """

    first_P: np.ndarray
    second_P: np.ndarray
    score_P: np.ndarray

    def __post_init__(self) -> None:
        for name, dtype in (("first_P", np.int64), ("second_P", np.int64), ("score_P", np.float64)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        shapes = {name: getattr(self, name).shape for name in ("first_P", "second_P", "score_P")}
        if len(set(shapes.values())) > 1 or self.first_P.ndim != 1:
            raise ValueError(f"pairs need three arrays of one dimension and the same length, got {shapes}")
        if len(self) and min(self.first_P.min(), self.second_P.min()) < 0:
            raise ValueError("the rows of pairs are counted from 0, and some are negative")
        if not np.isfinite(self.score_P).all():
            raise ValueError("some scores of pairs are not finite")

    def __len__(self) -> int:
        return len(self.score_P)
