"""What a data set yields."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Negative:
    """A hard negative: a value that is like a sample's, and none of it.

    Attributes:
        value: As the modality has values.
        id: Of the sample of the data set that it is a value of: of that sample it is no negative. None if of none.
    """

    value: Any
    id: int | str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: a value for each of its modalities, and what is known about it.

    Attributes:
        values: Modality name to value, such as ``{"image": array_HWC}``. Of a data set that is
            :class:`coview.KnowsPresent` a sample may lack some of the modalities, but not all.
        id: Unique in the data set, the same in every process and every run. Views are seeded by it, and rows of
            equal id in a batch are not negatives of each other.
        label: Index into the data set's ``classes``.
        group: What must not cross a split (a speaker, a patient, a recording).
        score: A human's or an instrument's number for regression and similarity.
        extras: What a loss may want to know of it besides, by name (a user, an item): a number, or an array of numbers
            that has the same shape and type in every sample.
        negatives: A hard negative by modality, such as ``{"text": coview.Negative("a cat on its back")}``: the view
            that a recipe calls "negative" is made of it. A sample that lacks the modality has none.
    """

    values: Mapping[str, Any]
    id: int | str
    label: int | None = None
    group: int | str | None = None
    score: float | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    negatives: Mapping[str, Negative] = field(default_factory=dict)

    def __getitem__(self, modality: str) -> Any:
        return self.values[modality]


def id_as_int64(sample_id: int | str) -> int:
    """The id as a non-negative int64: an integer as it is, a string by a hash that is the same everywhere."""
    if isinstance(sample_id, str):  # which may be a file's name, and that no UTF-8
        name = sample_id.encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1
    return int(sample_id)
