"""Which modalities the samples of a data set have, where some lack some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from coview.data.dataset import Dataset, KnowsPresent
from coview.data.some_rows import SomeRows


def present_of(dataset: Dataset) -> Mapping[str, np.ndarray]:
    """Of each modality that some sample lacks, ``(N,)`` bool: whether each row has it."""
    arrays = {name: np.asarray(has_N, dtype=bool) for name, has_N in said_present(dataset).items()}
    return {name: has_N for name, has_N in arrays.items() if not has_N.all()}


def said_present(dataset: Dataset) -> Mapping[str, Sequence[bool]]:
    """Of each modality that a data set says samples may lack: whether each row has it. Empty where it says nothing."""
    return (dataset.present if isinstance(dataset, KnowsPresent) else None) or {}


def modalities_of_row(
    dataset: Dataset, row: int, among: Sequence[str] | None = None, said: Mapping[str, Sequence[bool]] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modalities that a row has, and those that it lacks, as the data set says.

    Args:
        dataset: The data set.
        row: Which.
        among: The modalities that are asked for; by default all.
        said: What :func:`said_present` has of the data set, for who asks of many rows; by default it is asked.
    """
    known = said_present(dataset) if said is None else said
    if not known:
        return tuple(among or dataset.modalities), ()
    there = {name: name not in known or bool(known[name][row]) for name in (among or dataset.modalities)}
    return tuple(name for name, has in there.items() if has), tuple(name for name, has in there.items() if not has)


def having(dataset: Dataset, modalities: Sequence[str]) -> Dataset:
    """The rows that have all of some modalities; the data set itself where that is every row."""
    present = present_of(dataset)
    return _chosen(dataset, [present[name] for name in modalities if name in present], np.logical_and)


def having_any(dataset: Dataset, modalities: Sequence[str]) -> Dataset:
    """The rows that have at least one of some modalities; the data set itself where that is every row."""
    present = present_of(dataset)
    if any(name not in present for name in modalities):
        return dataset
    return _chosen(dataset, [present[name] for name in modalities], np.logical_or)


def _chosen(dataset: Dataset, has: Sequence[np.ndarray], join: np.ufunc) -> Dataset:
    kept_N = join.reduce(has) if has else np.ones(1, dtype=bool)
    return dataset if kept_N.all() else SomeRows(dataset, np.flatnonzero(kept_N).tolist())
