"""Some rows of a split's features, a split of which only some are embedded, and features on another device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from coview.evaluate.embedding import Embedded
from coview.evaluate.features import FeatureSplit

_COMPUTED_WITH = ("x_ND", "labels_N", "embedded_N")


def rows_of(split: FeatureSplit, indices: Any) -> FeatureSplit:
    """Some rows of a split, by their numbers."""
    rows = torch.from_numpy(indices)
    names = ("x_ND", "ids_N", "labels_N", "scores_N", "groups_N", "embedded_N")
    parts: dict[str, Any] = {name: None if (t := getattr(split, name)) is None else t[rows] for name in names}
    return FeatureSplit(**parts)


def with_or_without_labels(split: FeatureSplit, rows: np.ndarray, *, labelled: bool) -> tuple[FeatureSplit, np.ndarray]:
    """Where only some samples of a split have a class, these alone, or all of them without.

    Args:
        split: The features.
        rows: Of their samples in the data.
        labelled: Whether only samples that have a class are wanted.
    """
    if split.labels_N is None or bool((split.labels_N >= 0).all()):
        return split, rows
    if not labelled:
        return replace(split, labels_N=None), rows
    chosen = np.flatnonzero(split.labels_N.numpy() >= 0)
    return rows_of(split, chosen), rows[chosen]


def on_device(split: FeatureSplit, device: torch.device) -> FeatureSplit:
    """The same with representations and labels on a device."""
    there = {name: t.to(device) for name in _COMPUTED_WITH if (t := getattr(split, name)) is not None}
    return replace(split, **there)


def bare(embedded: Embedded) -> Embedded:
    """The same, with representations of no width."""
    return replace(embedded, features=replace(embedded.features, x_ND=embedded.features.x_ND[:, :0]))


def filled_up(known: Embedded, rows: np.ndarray, part: Embedded) -> Embedded:
    """A whole split of which only some rows are embedded; the representations of the others are NaN.

    Args:
        known: The split in another kind of features, with what is known of all its samples.
        rows: Those that are embedded, by their numbers in the data set; all of them could be read.
        part: They.
    """
    at_n = torch.from_numpy(np.searchsorted(known.rows, rows))
    x_ND = part.features.x_ND.new_full((len(known.features), part.features.x_ND.shape[1]), torch.nan)
    x_ND[at_n] = part.features.x_ND
    embedded_N = torch.zeros(len(x_ND), dtype=torch.bool)
    embedded_N[at_n] = True
    return Embedded(replace(known.features, x_ND=x_ND, embedded_N=embedded_N), known.skipped)
