"""What is in a split, in a few numbers: classes, groups, scores, and the range of some of its values."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import torch

from coview.data.dataset import Dataset, HasJudgedPairs, KnowsGroups, KnowsLabels
from coview.data.evenly import rows_to_look_at
from coview.data.modality import Modality, SummarisesValues
from coview.data.sample import Sample
from coview.data.several_values import value_counts_of
from coview.errors import SampleError

_LOOKED_AT = 32
_SECONDS = 2.0
_SUMMARISED = 1000
_SECONDS_OF_A_SUMMARY = 10.0


@dataclass(frozen=True)
class Overview:
    """A split.

    Attributes:
        samples: How many there are.
        looked_at: How many of them were read for what follows.
        first: The values of the first that could be read.
        ranges: Modality to the smallest and largest number in its values; of texts, of their lengths in characters.
        unreadable: Which of those that were looked at cannot be read, with the reason.
        classes: Class to how many samples it has, where that is known ahead; of those that were looked at where not.
        unlabelled: How many have no class, where there are classes.
        groups: How many groups there are, where they are known ahead.
        scores: The smallest and the largest score of those looked at, or of all judged pairs.
        pairs: How many judged pairs there are.
        values: How many values there are of each modality that some samples have several of.
    """

    samples: int
    looked_at: int
    first: Mapping[str, Any]
    ranges: Mapping[str, tuple[float, float]]
    unreadable: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    unlabelled: int = 0
    groups: int | None = None
    scores: tuple[float, float] | None = None
    pairs: int = 0
    values: Mapping[str, int] = field(default_factory=dict)


def overview(dataset: Dataset) -> Overview:
    """Looks at a split: at all that it knows ahead, and at a few samples that lie evenly in it."""
    read: list[Sample] = []
    unreadable: list[str] = []
    until = time.monotonic() + _SECONDS
    for row in rows_to_look_at(dataset, _LOOKED_AT):
        if read and time.monotonic() > until:
            break
        try:
            read.append(dataset[row])
        except SampleError as error:
            unreadable.append(str(error))
    numbers: dict[str, list[tuple[float, float]]] = {}
    for sample in read:
        for modality, value in sample.values.items():
            name = f"{modality} in characters" if isinstance(value, str) else modality
            numbers.setdefault(name, []).extend(_ranges(value))
    labels = _labels(dataset, [sample.label for sample in read])
    pairs = dataset.pairs if isinstance(dataset, HasJudgedPairs) else None
    scores = [s.score for s in read if s.score is not None] if pairs is None else pairs.score_P.tolist()
    known = dataset.groups if isinstance(dataset, KnowsGroups) else None
    counts = Counter(labels)
    return Overview(
        samples=len(dataset),
        looked_at=len(read) + len(unreadable),
        first=read[0].values if read else {},
        ranges={
            modality: (min(low for low, _ in found), max(high for _, high in found))
            for modality, found in numbers.items()
            if found
        },
        unreadable=tuple(unreadable),
        classes={name: counts[place] for place, name in enumerate(dataset.classes or ())},
        unlabelled=counts[-1] if dataset.classes else 0,
        groups=None if known is None else len(set(known)),
        scores=(min(scores), max(scores)) if scores else None,
        pairs=0 if pairs is None else len(pairs),
        values={name: int(count_N.sum()) for name, count_N in value_counts_of(dataset).items()},
    )


def summaries(dataset: Dataset, modalities: Mapping[str, Modality]) -> dict[str, str]:
    """What modalities that are :class:`SummarisesValues` say of values that lie evenly in a split."""
    asked = {name: one for name, one in modalities.items() if isinstance(one, SummarisesValues)}
    if not asked:
        return {}
    read: list[Sample] = []
    until = time.monotonic() + _SECONDS_OF_A_SUMMARY
    for row in rows_to_look_at(dataset, _SUMMARISED):
        if read and time.monotonic() > until:
            break
        with suppress(SampleError):  # which the overview has told
            read.append(dataset[row])
    values = {name: [sample[name] for sample in read if name in sample.values] for name in asked}
    return {name: one.summary(values[name]) for name, one in asked.items() if values[name]}


def _labels(dataset: Dataset, of_those_read: list[int | None]) -> list[int]:
    if isinstance(dataset, KnowsLabels) and dataset.labels is not None:
        return [int(label) for label in dataset.labels]
    return [-1 if label is None else label for label in of_those_read]


def _ranges(value: Any) -> Iterator[tuple[float, float]]:
    """The smallest and the largest number of whatever a value holds; of a text, its length."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        if value.size and value.dtype.kind in "biuf":
            yield float(value.min()), float(value.max())
    elif isinstance(value, str):
        yield float(len(value)), float(len(value))
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _ranges(getattr(value, part.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _ranges(part)
