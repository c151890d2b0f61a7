"""Samples without a class among others that have one: they are trained on, and left out of what needs a class."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from coview.data.dataset import Dataset, KnowsLabels
from coview.data.mixture import Mixture
from coview.errors import SampleError

_TRIED = 8


def lacking_labels(dataset: Dataset) -> int:
    """How many samples of a split have no class, as far as it knows that ahead.

    Samples that cannot be read have none either, and are skipped wherever they are read: where the first few without a
    class are such, none is counted.
    """
    if isinstance(dataset, Mixture):
        return sum(len(part) if part.classes is None else lacking_labels(part) for part in dataset.parts)
    if not isinstance(dataset, KnowsLabels) or dataset.labels is None:
        return 0
    rows = np.flatnonzero(np.asarray(dataset.labels) < 0)
    for row in rows[:_TRIED].tolist():
        with suppress(SampleError):
            dataset[row]
            return len(rows)
    return 0
