"""Seeded splits for data without official ones."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from coview.errors import CoviewError, few

_NEAR = 0.2
"""How far the share that is held out may be from the one that was asked for, as a part of it, before it is said."""


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

    With ``groups``, no group is on both sides: near-duplicates do not cross. With ``labels``, classes keep their
    shares, as well as whole groups allow. A class of one sample stays with the rest, as it cannot be in both; that the
    others are stratified does not depend on it. :func:`split_notes` says what could not be.

    Args:
        n: How many samples there are.
        fraction: Share of the second part, in (0, 1).
        seed: Of the split; not the run's, so that all runs share it.
        labels: The class of each sample; -1 or None for none.
        groups: The group of each sample.

    Returns:
        The sorted indices of the rest and of the held-out part.

    Raises:
        CoviewError: If there are too few samples, or groups, for two parts, or no class has more than one sample.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction has to be between 0 and 1, got {fraction}")
    units = n if groups is None else len(np.unique(np.asarray(groups)))
    if units < 2:
        raise CoviewError(f"cannot split {n} samples in {units} group{'s' * (units != 1)} into two parts")
    class_N: np.ndarray | None = None
    if labels is not None:
        known = [-1 if label is None else label for label in labels]
        _, class_N, counts = np.unique(np.asarray(known), return_inverse=True, return_counts=True)
        if counts.max() == 1:
            raise CoviewError(
                f"each of the {n} classes has one sample, which cannot be in both splits: nothing can be tested",
                hint="add samples to the classes, or give the data without classes",
            )
    group_N = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    numbers = (None if values is None else values.astype(np.int64).tobytes() for values in (class_N, group_N))
    rest, held = _split(n, fraction, seed % 2**32, *numbers)
    return rest.copy(), held.copy()


@lru_cache(maxsize=8)
def _split(
    n: int, fraction: float, state: int, classes: bytes | None, groups: bytes | None
) -> tuple[np.ndarray, np.ndarray]:
    """Made once in a process: each split of a data set, and each evaluator's, asks for the same ones.

    Args:
        n, fraction: As above.
        state: Of the draw.
        classes, groups: The number of each sample's, as int64 in bytes.
    """
    from sklearn.model_selection import (
        GroupShuffleSplit,
        ShuffleSplit,
        StratifiedGroupKFold,
        StratifiedShuffleSplit,
    )  # scikit-learn costs start-up time

    x_N1 = np.zeros((n, 1))
    group_N = None if groups is None else np.frombuffer(groups, dtype=np.int64)
    if classes is None:
        splitter = ShuffleSplit if groups is None else GroupShuffleSplit
        rest, held = next(splitter(1, test_size=fraction, random_state=state).split(x_N1, groups=group_N))
        return np.sort(rest), np.sort(held)
    class_N = np.frombuffer(classes, dtype=np.int64)
    counts = np.bincount(class_N)
    if group_N is not None:
        folds = round(1 / fraction)
        if counts.max() >= folds <= group_N.max() + 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that a class has fewer than there are folds
                found = StratifiedGroupKFold(folds, shuffle=True, random_state=state).split(x_N1, class_N, group_N)
                rest, held = next(found)
        else:
            rest, held = next(GroupShuffleSplit(1, test_size=fraction, random_state=state).split(x_N1, groups=group_N))
        return np.sort(rest), np.sort(held)
    alone_N = counts[class_N] == 1
    several = np.flatnonzero(~alone_N)
    size = min(max(round(n * fraction), 1), len(several) - len(np.unique(class_N[several])))
    if counts.min() > 1 and min(round(n * fraction), round(n * (1 - fraction))) >= len(counts):
        rest, held = next(StratifiedShuffleSplit(1, test_size=fraction, random_state=state).split(x_N1, class_N))
    elif min(size, len(several) - size) >= len(np.unique(class_N[several])):
        _, held = next(StratifiedShuffleSplit(1, test_size=size, random_state=state).split(several, class_N[several]))
        held = several[held]
    else:
        held = _one_stays(several, class_N, size, np.random.default_rng(state))
    return np.setdiff1d(np.arange(n), held), np.sort(held)


def _one_stays(several: np.ndarray, class_N: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """So many rows at random, of which there are too few for one of each class; one of each class stays."""
    left = np.bincount(class_N)
    held: list[int] = []
    for row in rng.permutation(several).tolist():
        if len(held) < size and left[class_N[row]] > 1:
            left[class_N[row]] -= 1
            held.append(row)
    return np.array(held, dtype=np.int64)


def split_notes(
    train: np.ndarray,
    test: np.ndarray,
    *,
    fraction: float | None = None,
    labels: np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
) -> tuple[str, ...]:
    """What a split could not do, in sentences: which classes are not in both parts, what groups do not allow.

    Args:
        train, test: What :func:`seeded_split` returned, or the data's own.
        fraction: What was asked for. Absent: nothing was.
        labels: The class of each sample; -1 for none.
        classes: The names of the classes.
        groups: The group of each sample.
    """
    notes = []
    if labels is not None and classes is not None:
        parts = [set(np.unique(labels[rows]).tolist()) - {-1} for rows in (train, test)]
        for present, absent, what in ((0, 1, "cannot be tested"), (1, 0, "cannot be learned")):
            names = [classes[label] for label in sorted(parts[present] - parts[absent])]
            if names:
                are = f"class {names[0]}" if len(names) == 1 else f"{len(names)} classes {few(names)}"
                notes.append(f"the {are} {what}: its samples are all in the {('train', 'test')[present]} split")
    n = len(train) + len(test)
    if fraction is not None and groups is not None and abs(len(test) / n - fraction) > _NEAR * fraction:
        every, held = len(set(groups)), len({groups[row] for row in test})
        notes.append(
            f"a fraction of {fraction:g} should be held out, but with whole groups it is {len(test) / n:.2g}: "
            f"{len(test):,} of {n:,} samples, {held:,} of {every:,} groups"
        )
    return tuple(notes)
