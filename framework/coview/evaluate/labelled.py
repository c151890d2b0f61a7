"""What evaluators share: checked features in, accuracies with intervals out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coview.errors import CoviewError
from coview.evaluate import intervals
from coview.evaluate.features import Features
from coview.evaluate.result import Result


def labelled_split(features: Features, split: str) -> tuple[Tensor, Tensor]:
    """The representations and class indices of a split.

    Raises:
        CoviewError: If it is empty or has no class labels, or a representation is not finite.
    """
    labels_N = features[split].labels_N
    if labels_N is None:
        raise CoviewError(f"the {split} split has no class labels")
    return finite_features(features, split), labels_N


def finite_features(features: Features, split: str) -> Tensor:
    """The representations of a split; those of rows that were not embedded are NaN.

    Raises:
        CoviewError: If it is empty, or a representation is not finite.
    """
    x_ND, embedded_N = features[split].x_ND, features[split].embedded_N
    if len(x_ND) == 0:
        raise CoviewError(f"the {split} split is empty")
    there_nD = x_ND if embedded_N is None else x_ND[embedded_N]
    broken = int((~torch.isfinite(there_nD).all(1)).sum())
    if broken:
        raise CoviewError(
            f"{broken} of {len(there_nD)} representations of the {split} split hold NaN or infinity",
            hint="the encoder has diverged: look at the run's loss, and try a lower learning rate",
        )
    return x_ND


def check_classes(labels_N: Tensor) -> None:
    """Raises :class:`CoviewError` unless there are at least two classes to tell apart."""
    found = len(labels_N.unique())
    if found < 2:
        raise CoviewError(f"the train split has {found} class, a classifier needs at least 2")


def accuracy_result(
    hits_SN: Sequence[Tensor],
    generator: np.random.Generator,
    protocol: Mapping[str, Any],
    groups_N: Tensor | None = None,
) -> Result:
    """The mean accuracy over draws on the test split, with its interval.

    Args:
        hits_SN: For each draw, whether each test item was classified rightly.
        generator: The randomness of the interval.
        protocol: All that defines the number but the interval.
        groups_N: The group of each test item, where there are groups: the interval is then over them.
    """
    hits = torch.stack(list(hits_SN)).cpu().numpy()
    groups = intervals.groups_of(groups_N)
    value = float(hits.mean())
    low, high = intervals.covering(value, intervals.accuracy_interval(hits, generator, groups))
    over = " of the test items" + " and the draws" * (len(hits) > 1)
    method = intervals.METHOD if groups is None else groups.method + over
    return Result(
        metric="accuracy",
        value=value,
        ci_low=low,
        ci_high=high,
        n=hits.shape[1],
        per_item=hits.mean(0, dtype=np.float32),
        item_groups=None if groups is None else groups.of_N,
        per_draw=hits.mean(1),
        split="test",
        bounds=(0.0, 1.0),
        protocol={**protocol, "draws": len(hits), "interval": method},
    )
