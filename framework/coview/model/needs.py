"""What a loss needs of a recipe, so that a recipe that does not give it fails before training starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """Declared by a loss as ``needs = coview.Needs(…)``.

    Attributes:
        views: The fewest views of each sample.
        labels: Whether it needs class labels.
        smallest_batch: The fewest samples in a batch; 2 where other samples are the negatives.
    """

    views: int = 2
    labels: bool = False
    smallest_batch: int = 2
