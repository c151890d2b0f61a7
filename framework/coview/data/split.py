"""Seeded splits for data without official ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from coview.errors import CoviewError

_NEAR = 0.2
"""How far the share that is held out may be from the one that was asked for, as a part of it."""


def check_split(split: str, splits: Sequence[str]) -> None:
    """Refuses a split that a data set does not have.

    Args:
        split: What a data set is asked for.
        splits: Which it has.

    Raises:
        ValueError: If it does not have it.
    """
    if split not in splits:
        raise ValueError(f"split has to be one of {', '.join(splits)}, got {split!r}")


def seeded_split(
    n: int,
    *,
    fraction: float,
    seed: int,
    labels: Sequence[Any] | np.ndarray | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Splits ``range(n)`` in two, the same way for the same seed.

    Whole groups may be far from the share that was asked for: that is a warning, with both numbers.

    With ``groups``, no group is on both sides: near-duplicates do not cross. With ``labels``, classes keep their
    shares, as well as whole groups allow.

    Args:
        n: How many samples there are.
        fraction: Share of the second part, in (0, 1).
        seed: Of the split; not the run's, so that all runs share it.
        labels: The class of each sample.
        groups: The group of each sample.

    Returns:
        The sorted indices of the rest and of the held-out part.

    Raises:
        CoviewError: If there are too few samples, or groups, for two parts.
    """
    rest, held = split_rows(n, fraction=fraction, seed=seed, labels=labels, groups=groups)
    if groups is not None and abs(len(held) / n - fraction) > _NEAR * fraction:
        every, held_out = len(np.unique(np.asarray(groups))), len(np.unique(np.asarray(groups)[held]))
        _warn_once(
            f"a fraction of {fraction:g} was asked to be held out, and whole groups make it {len(held) / n:.2g}: "
            f"{len(held):,} of {n:,} samples, {held_out:,} of {every:,} groups"
        )
    return rest, held


@cache
def _warn_once(text: str) -> None:
    """Each part of a data set makes the split anew, and Python's own register of what was said does not last."""
    warnings.warn(text, stacklevel=3)


def split_rows(
    n: int,
    *,
    fraction: float,
    seed: int,
    labels: Sequence[Any] | np.ndarray | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`seeded_split`, without the warning."""
    from sklearn.model_selection import (
        GroupShuffleSplit,
        ShuffleSplit,
        StratifiedGroupKFold,
        StratifiedShuffleSplit,
    )  # scikit-learn costs start-up time

    if not 0 < fraction < 1:
        raise ValueError(f"fraction has to be between 0 and 1, got {fraction}")
    units = n if groups is None else len(np.unique(np.asarray(groups)))
    if units < 2:
        raise CoviewError(f"cannot split {n} samples in {units} group{'s' * (units != 1)} into two parts")
    x = np.zeros((n, 1))
    smallest = 0 if labels is None else int(np.unique(np.asarray(labels), return_counts=True)[1].min())
    if groups is not None and labels is not None and smallest >= round(1 / fraction) <= units:
        folds = StratifiedGroupKFold(round(1 / fraction), shuffle=True, random_state=seed % 2**32)
        rest, held = next(folds.split(x, labels, groups))
    elif groups is not None:
        shuffled = GroupShuffleSplit(1, test_size=fraction, random_state=seed % 2**32)
        rest, held = next(shuffled.split(x, groups=groups))
    else:
        classes = 0 if labels is None else len(np.unique(np.asarray(labels)))
        stratify = smallest >= 2 and min(round(n * fraction), round(n * (1 - fraction))) >= classes
        splitter = StratifiedShuffleSplit if stratify else ShuffleSplit
        rest, held = next(splitter(1, test_size=fraction, random_state=seed % 2**32).split(x, labels))
    return np.sort(rest), np.sort(held)
