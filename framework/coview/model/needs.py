"""What a loss needs of a recipe, so that a recipe that does not give it fails before training starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Use = Literal["unused", "optional", "required"]


@dataclass(frozen=True)
class Needs:
    """Declared by a loss as ``needs = coview.Needs(…)``.

    Attributes:
        views: The fewest views of each sample.
        most_views: The most views of each sample; absent where any number makes sense.
        labels: Whether it needs class labels.
        teacher: Whether it needs a target branch, by EMA or by stop-gradient.
        predictor: Whether it collapses without a predictor.
        queue: Whether earlier projections are of no use to it, can be used, or have to be there.
        local_views: Whether it takes student views that have no teacher view (multi-crop).
        smallest_batch: The fewest samples in a batch; 2 where other samples are the negatives.
    """

    views: int = 2
    most_views: int | None = None
    labels: bool = False
    teacher: bool = False
    predictor: bool = False
    queue: Use = "unused"
    local_views: bool = False
    smallest_batch: int = 2
