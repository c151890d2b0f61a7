"""What every split of a data set promises, one check each. A check yields what is wrong, in words.

A run tries them on a few rows of each split that it uses, before it trains; ``coview.testing.check_dataset`` on more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from coview.data.batch import MovesToDevice, leaves
from coview.data.dataset import Dataset, HasContext, KnowsGroups, KnowsIds, KnowsLabels
from coview.data.ids import WHY, equal_ids, ids_as_int64
from coview.data.sample import Sample
from coview.data.sample_problem import (
    FOR_THE_AUTHOR,
    describe_extra,
    problem_of_extras,
    problem_of_group,
    problem_of_id,
    problem_of_label,
    problem_of_score,
)
from coview.data.split_under_test import Problems, SplitUnderTest, first_of, of_each
from coview.data.value_checks import (
    has_the_values_that_it_counts,
    negatives_are_of_its_modalities,
    problems_of_present,
    reads_modalities_as_all,
    values_stay,
    yields_samples,
)
from coview.errors import CoviewError


def says_what_it_is(tested: SplitUnderTest) -> Problems:
    """Its modalities and classes are tuples of texts; version, citation and licence are texts."""
    dataset = tested.dataset
    if not _is_texts(dataset.modalities) or not dataset.modalities:
        yield f"modalities has to be a tuple of texts, at least one, got {dataset.modalities!r}"
    if dataset.classes is not None and not _is_texts(dataset.classes):
        yield f"classes has to be a tuple of texts, or None, got {_start(dataset.classes)}"
    texts: tuple[tuple[str, Any], ...] = (
        ("version", dataset.version),
        ("citation", dataset.citation),
        ("licence", dataset.licence),
    )
    for name, value in texts:
        if not isinstance(value, str):
            yield f"{name} has to be a text, got {value!r}"


def ids_are_texts_or_whole_numbers(tested: SplitUnderTest) -> Problems:
    """An id is a text, or a whole number that is not negative."""
    yield from of_each(tested, problem_of_id)


def ids_stay(tested: SplitUnderTest) -> Problems:
    """A row has the same id whenever it is read: views are seeded by it."""
    yield from first_of(
        f"row {row} has the id {one.id!r} when it is read first and {other.id!r} later, and has to keep it: {WHY}"
        for row, one, other in tested.twice()
        if one.id != other.id
    )


def ids_differ(tested: SplitUnderTest) -> Problems:
    """No two rows have one id; of a data set that knows its ids no two of all rows."""
    rows = [row for row, sample in tested.samples() if not problem_of_id(sample)]
    ids = [sample.id for _, sample in tested.samples() if not problem_of_id(sample)]
    dataset = tested.dataset
    if isinstance(dataset, KnowsIds) and dataset.ids is not None:
        rows, ids = list(range(len(dataset.ids))), list(dataset.ids)
    if ids and (places := equal_ids(ids_as_int64(ids))):
        first, second = places
        yield f"rows {rows[first]} and {rows[second]} have the same id, {ids[first]!r}; each has to have its own: {WHY}"


def labels_are_class_indices(tested: SplitUnderTest) -> Problems:
    """A label is a whole number below the number of classes, or None."""
    yield from of_each(tested, lambda sample: problem_of_label(sample, tested.dataset.classes))


def groups_are_texts_or_whole_numbers(tested: SplitUnderTest) -> Problems:
    """A group is a text, a whole number that is not negative, or None."""
    yield from of_each(tested, problem_of_group)


def scores_are_finite_numbers(tested: SplitUnderTest) -> Problems:
    """A score is a finite number, or None."""
    yield from of_each(tested, problem_of_score)


def extras_are_numbers(tested: SplitUnderTest) -> Problems:
    """An extra is a number or an array of numbers, and is there and of one kind in every sample."""
    problems = list(of_each(tested, problem_of_extras))
    yield from problems
    if problems:
        return
    samples = list(tested.samples())
    for name in dict.fromkeys(name for _, sample in samples for name in sample.extras):
        rows = {
            "missing" if name not in s.extras else describe_extra(s.extras[name]): row for row, s in reversed(samples)
        }
        if len(rows) > 1:
            listed = ", ".join(f"{kind} in row {row}" for kind, row in sorted(rows.items(), key=lambda item: item[1]))
            yield f"the extra {name} has to be of one kind in every sample, and is {listed}"


def context_can_be_moved(tested: SplitUnderTest) -> Problems:
    """What its samples share is a tensor, something that has ``to(device)``, or a mapping of such; or None."""
    dataset = tested.dataset
    if isinstance(dataset, HasContext) and dataset.context is not None:
        for leaf in leaves(dataset.context):
            if not isinstance(leaf, MovesToDevice):
                kind = type(leaf).__name__
                yield f"its context has a {kind} in it, which cannot be brought to a device: it has no method to"


def knows_what_its_samples_say(tested: SplitUnderTest) -> Problems:
    """What it says of all rows ahead (labels, groups, ids, modalities) is what its samples have."""
    dataset = tested.dataset
    yield from problems_of_present(tested)
    if isinstance(dataset, KnowsLabels) and dataset.labels is not None:
        known = [None if label == -1 else label for label in np.asarray(dataset.labels).tolist()]
        yield from _as_known(tested, "labels", known, lambda sample: sample.label)
        classes = dataset.classes
        wrong = [row for row, label in enumerate(known) if label is not None and not 0 <= label < len(classes or ())]
        if classes is not None and wrong:
            yield f"labels has {known[wrong[0]]!r} for row {wrong[0]}, and there are {len(classes)} classes"
    if isinstance(dataset, KnowsGroups) and dataset.groups is not None:
        yield from _as_known(tested, "groups", list(dataset.groups), lambda sample: sample.group)
    if isinstance(dataset, KnowsIds) and dataset.ids is not None:
        yield from _as_known(tested, "ids", list(dataset.ids), lambda sample: sample.id)


DATASET_CHECKS: Mapping[str, Callable[[SplitUnderTest], Problems]] = {
    check.__name__: check
    for check in (
        says_what_it_is,
        yields_samples,
        negatives_are_of_its_modalities,
        ids_are_texts_or_whole_numbers,
        ids_stay,
        ids_differ,
        values_stay,
        reads_modalities_as_all,
        labels_are_class_indices,
        groups_are_texts_or_whole_numbers,
        scores_are_finite_numbers,
        extras_are_numbers,
        context_can_be_moved,
        knows_what_its_samples_say,
        has_the_values_that_it_counts,
    )
}
"""Name to check."""


def check_rows(dataset: Dataset, what: str) -> None:
    """Reads a few rows of a split, each twice, and refuses it if it does not keep its promises.

    Args:
        dataset: The split.
        what: Where it is named, and which it is.

    Raises:
        CoviewError: With the first problem of each kind.
    """
    try:
        tested = SplitUnderTest.read(dataset)
    except CoviewError as error:
        raise CoviewError(f"{what}: {error.message}", error.hint) from error
    found = [problem for check in DATASET_CHECKS.values() if (problem := next(check(tested), ""))]
    if found:
        raise CoviewError(
            f"{what}: " + "\n    ".join([*(["it breaks its promises:"] if len(found) > 1 else []), *found]),
            hint=FOR_THE_AUTHOR,
        )


def _as_known(tested: SplitUnderTest, name: str, known: Sequence[Any], of_sample: Callable[[Sample], Any]) -> Problems:
    if len(known) != len(tested.dataset):
        yield f"{name} has {len(known):,} entries, and the split {len(tested.dataset):,} rows"
        return
    yield from first_of(
        f"{name} has {known[row]!r} for row {row}, and its sample has {of_sample(sample)!r}"
        for row, sample in tested.samples()
        if known[row] != of_sample(sample)
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _start(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:60] + "…"
