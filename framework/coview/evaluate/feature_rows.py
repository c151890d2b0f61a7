"""Some rows of a split's features, and the same features on another device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from coview.evaluate.features import FeatureSplit


def rows_of(split: FeatureSplit, indices: Any) -> FeatureSplit:
    """Some rows of a split, by their numbers."""
    rows = torch.from_numpy(indices)
    names = ("x_ND", "ids_N", "labels_N", "scores_N", "groups_N")
    parts: dict[str, Any] = {name: None if (t := getattr(split, name)) is None else t[rows] for name in names}
    return FeatureSplit(**parts)


def on_device(split: FeatureSplit, device: torch.device) -> FeatureSplit:
    """The same with representations and labels on a device."""
    labels = split.labels_N
    return replace(split, x_ND=split.x_ND.to(device), labels_N=None if labels is None else labels.to(device))
