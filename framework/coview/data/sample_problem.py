"""What can be wrong with one sample, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from coview.data.sample import Negative, Sample
from coview.errors import few

FOR_THE_AUTHOR = "tell the author of the data set: coview.testing.check_dataset tries all of it"
"""The hint of a message that says such a problem."""


def problem_of_id(sample: Sample) -> str:
    """What is wrong with its id; empty if nothing is."""
    if _is_whole(sample.id) and 0 <= sample.id < 2**63:  # type: ignore[operator]
        return ""
    if isinstance(sample.id, str):
        return ""
    return (
        f"its id is {_short(sample.id)}, and has to be a text, or a whole number from 0 to below 2**63: views are "
        "seeded by it"
    )


def problem_of_label(sample: Sample, classes: Sequence[str] | None) -> str:
    """What is wrong with its label; empty if nothing is."""
    label: Any = sample.label
    if label is None:
        return ""
    if not _is_whole(label):
        return f"its label is {_short(label)}, and has to be a whole number, the index of its class, or None"
    if label < 0 or (classes is not None and label >= len(classes)):
        there = "" if classes is None else f", as there are {len(classes)} classes"
        least = "from 0 on" if classes is None else f"from 0 to {len(classes) - 1}"
        return f"its label is {label}, and has to be {least}{there}; None where it has none"
    return ""


def problem_of_group(sample: Sample) -> str:
    """What is wrong with its group; empty if nothing is."""
    group: Any = sample.group
    if group is None or isinstance(group, str) or (_is_whole(group) and 0 <= group < 2**63):
        return ""
    return f"its group is {_short(group)}, and has to be a text, a whole number from 0 to below 2**63, or None"


def problem_of_score(sample: Sample) -> str:
    """What is wrong with its score; empty if nothing is."""
    score: Any = sample.score
    if score is None or (type(score) is not bool and isinstance(score, Real) and math.isfinite(score)):
        return ""
    return f"its score is {_short(score)}, and has to be a finite number, or None where it has none"


def problem_of_values(sample: Sample, modalities: Sequence[str], absent: Sequence[str] = ()) -> str:
    """What is wrong with its values; empty if nothing is.

    Args:
        sample: The sample.
        modalities: Those that it has to have.
        absent: Those that the data set says it lacks.
    """
    values: Any = sample.values
    if not _is_mapping(values):
        return f"its values are {_short(values)}, and have to be a mapping from modality to value"
    lacking = [name for name in modalities if name not in values]
    if lacking:
        has = f"has {few(list(map(str, values)))}" if values else "has none"
        return f"it has no value of {few(lacking)} ({has})"
    if unsaid := [name for name in absent if name in values]:
        return f"it has a value of {few(unsaid)}, and the data set's present says that it has none"
    return ""


def problem_of_negatives(sample: Sample, modalities: Sequence[str]) -> str:
    """What is wrong with its hard negatives; empty if nothing is.

    Args:
        sample: The sample.
        modalities: Those of the data set.
    """
    negatives: Any = sample.negatives
    if not _is_mapping(negatives) or not all(isinstance(one, Negative) for one in negatives.values()):
        return f"its negatives are {_short(negatives)}, and have to be a mapping from modality to coview.Negative"
    if unknown := [str(name) for name in negatives if name not in modalities]:
        return f"it has a hard negative of {few(unknown)}, and the data set has {few(list(modalities))}"
    return ""


def problem_of_extras(sample: Sample, wanted: Sequence[str] = ()) -> str:
    """What is wrong with its extras; empty if nothing is.

    Args:
        sample: The sample.
        wanted: Those that it has to have.
    """
    extras: Any = sample.extras
    if not _is_mapping(extras) or not all(isinstance(name, str) for name in extras):
        return f"its extras are {_short(extras)}, and have to be a mapping from name to number or array"
    lacking = [name for name in wanted if name not in extras]
    if lacking:
        has = f"has {few(list(map(str, extras)))}" if extras else "has none"
        return f"it has no extra {few(lacking)} ({has})"
    for name, value in extras.items():
        is_number = isinstance(value, Real) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf")
        if not is_number:
            return f"its extra {name} is {_short(value)}, and has to be a number or an array of numbers"
    return ""


def describe_extra(value: Any) -> str:
    """What kind of an extra one is, as those of all samples have to be."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {value.shape}"
    if isinstance(value, np.generic):
        return f"a {value.dtype}"
    return "a truth value" if isinstance(value, bool) else "a whole number" if _is_whole(value) else "a number"


def problem_of(
    sample: Any,
    modalities: Sequence[str],
    classes: Sequence[str] | None,
    extras: Sequence[str] = (),
    absent: Sequence[str] = (),
) -> str:
    """The first thing that is wrong with what a data set yielded; empty if nothing is.

    Args:
        sample: What it yielded.
        modalities: Those whose values are needed.
        classes: The data set's.
        extras: Those that are needed.
        absent: Modalities that the data set says it lacks.
    """
    if not isinstance(sample, Sample):
        return f"it is {_short(sample)}, and has to be a coview.Sample"
    return (
        problem_of_id(sample)
        or problem_of_values(sample, modalities, absent)
        or problem_of_label(sample, classes)
        or problem_of_group(sample)
        or problem_of_score(sample)
        or problem_of_extras(sample, extras)
        or problem_of_negatives(sample, tuple(sample.negatives))
    )


def _is_whole(value: Any) -> bool:
    # the built-in type first: every sample that is read is asked, and an abstract class takes ten times as long
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def _is_mapping(value: Any) -> bool:
    return type(value) is dict or isinstance(value, Mapping)


def _short(value: Any) -> str:
    shown = repr(value)
    return f"the {type(value).__name__} {shown}" if len(shown) <= 40 else f"a {type(value).__name__}"
