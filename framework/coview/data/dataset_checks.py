"""What every split of a data set promises, one check each. A check yields what is wrong, in words.

A run tries them on a few rows of each split that it uses, before it trains; ``coview.testing.check_dataset`` on more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coview.data.batch import MovesToDevice, leaves
from coview.data.content import content_hash
from coview.data.dataset import (
    Dataset,
    HasContext,
    HasNegatives,
    HasSeveralValues,
    KnowsGroups,
    KnowsIds,
    KnowsLabels,
    KnowsPresent,
    ReadsModalities,
)
from coview.data.evenly import evenly
from coview.data.ids import WHY, equal_ids, ids_as_int64
from coview.data.present import modalities_of_row
from coview.data.sample import Sample
from coview.data.sample_problem import (
    FOR_THE_AUTHOR,
    describe_extra,
    problem_of_extras,
    problem_of_group,
    problem_of_id,
    problem_of_label,
    problem_of_negatives,
    problem_of_score,
    problem_of_values,
)
from coview.errors import CoviewError, SampleError, few
from coview.recipe.needs import NEGATIVE

ROWS = 8
"""How many rows of a split a run reads to check it."""

SECONDS = 2.0
"""When it stops reading more of them."""

Problems = Iterator[str]


@dataclass(frozen=True)
class SplitUnderTest:
    """A split, and some of its rows, read twice.

    Attributes:
        dataset: The split.
        rows: Those that were read, without those that raise a :class:`coview.SampleError`.
        first: What each gave.
        second: What each gave later, the last row first.
    """

    dataset: Dataset
    rows: Sequence[int]
    first: Sequence[Any]
    second: Sequence[Any]

    @classmethod
    def read(cls, dataset: Dataset, rows: int = ROWS, seconds: float = SECONDS) -> SplitUnderTest:
        """Reads rows that lie evenly in the split; fewer where they take long, but one at least."""
        found: dict[int, list[Any]] = {}
        until = time.monotonic() + seconds / 2
        for row in evenly(len(dataset), min(rows, len(dataset))):
            if found and time.monotonic() > until:
                break
            try:
                found[row] = [dataset[row]]
            except SampleError:  # which the loader skips, names and counts
                continue
        for row in reversed(list(found)):
            try:
                found[row].append(dataset[row])
            except SampleError:
                del found[row]
        first, second = zip(*found.values(), strict=True) if found else ((), ())
        return cls(dataset, tuple(found), first, second)

    def samples(self) -> Iterator[tuple[int, Sample]]:
        """The rows that are samples at all, as they were read first."""
        return ((row, one) for row, one in zip(self.rows, self.first, strict=True) if isinstance(one, Sample))

    def twice(self) -> Iterator[tuple[int, Sample, Sample]]:
        """The same with what was read later."""
        for row, one, other in zip(self.rows, self.first, self.second, strict=True):
            if isinstance(one, Sample) and isinstance(other, Sample):
                yield row, one, other


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


def yields_samples(tested: SplitUnderTest) -> Problems:
    """Each row is a ``coview.Sample``, with a value of each of the modalities that the data set says it has."""
    yield from _first(
        f"row {row} is a {type(one).__name__}, and has to be a coview.Sample"
        for row, one in zip(tested.rows, tested.first, strict=True)
        if not isinstance(one, Sample)
    )
    if list(_of_present(tested)):
        return
    found = (
        (row, problem_of_values(sample, *modalities_of_row(tested.dataset, row))) for row, sample in tested.samples()
    )
    yield from _first(f"row {row}: {problem}" for row, problem in found if problem)


def negatives_are_of_its_modalities(tested: SplitUnderTest) -> Problems:
    """A hard negative is a ``coview.Negative`` of one of its modalities, and the data set says which rows have one."""
    dataset = tested.dataset
    problems = list(_of_each(tested, lambda sample: problem_of_negatives(sample, dataset.modalities)))
    yield from problems
    known = (dataset.negatives if isinstance(dataset, HasNegatives) else None) or {}
    if problems:
        return
    for name, has in known.items():
        if len(has) != len(dataset):
            yield f"negatives has {len(has):,} entries of {name}, and the split {len(dataset):,} rows"
            return
    yield from _first(
        f"row {row} has a hard negative of {' and '.join(sample.negatives) or 'nothing'}, and the data set's negatives "
        f"says {' and '.join(said) or 'nothing'}"
        for row, sample in tested.samples()
        if set(said := [name for name, has in known.items() if has[row]]) != set(sample.negatives)
    )


def ids_are_texts_or_whole_numbers(tested: SplitUnderTest) -> Problems:
    """An id is a text, or a whole number that is not negative."""
    yield from _of_each(tested, problem_of_id)


def ids_stay(tested: SplitUnderTest) -> Problems:
    """A row has the same id whenever it is read: views are seeded by it."""
    yield from _first(
        f"row {row} has the id {one.id!r} when it is read first and {other.id!r} later, and has to have one: {WHY}"
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


def values_stay(tested: SplitUnderTest) -> Problems:
    """A row has the same values and extras whenever it is read: what changes them at random is an augmentation."""
    yield from _first(
        f"row {row} has another value of {name} each time it is read: what draws belongs into an augmentation, whose "
        "draws a run repeats"
        for row, one, other in tested.twice()
        for mine, theirs in ((one.values, other.values), (one.extras, other.extras))
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping)
        for name in mine
        if _differ(mine[name], theirs.get(name))
    )


def reads_modalities_as_all(tested: SplitUnderTest) -> Problems:
    """What it reads of a sample in some modalities is what the sample has, and nothing of the others."""
    dataset = tested.dataset
    if not isinstance(dataset, ReadsModalities):
        return
    for row, sample in tested.samples():
        values: Any = sample.values
        for names in ((), *((name,) for name in values)) if isinstance(values, Mapping) else ():
            what = f"read_modalities({row}, {names})"
            found: Any = dataset.read_modalities(row, names)
            if not isinstance(found, Sample):
                yield f"{what} is a {type(found).__name__}, and has to be a coview.Sample"
                return
            if set(found.values) != set(names):
                yield f"{what} has values of {few(list(map(str, found.values))) or 'nothing'}"
                return
            known = [(one.id, one.label, one.group, one.score) for one in (found, sample)]
            if known[0] != known[1] or any(_differ(found.values[name], values[name]) for name in names):
                yield f"{what} is another sample than [{row}]"
                return


def labels_are_class_indices(tested: SplitUnderTest) -> Problems:
    """A label is a whole number below the number of classes, or None."""
    yield from _of_each(tested, lambda sample: problem_of_label(sample, tested.dataset.classes))


def groups_are_texts_or_whole_numbers(tested: SplitUnderTest) -> Problems:
    """A group is a text, a whole number that is not negative, or None."""
    yield from _of_each(tested, problem_of_group)


def scores_are_finite_numbers(tested: SplitUnderTest) -> Problems:
    """A score is a finite number, or None."""
    yield from _of_each(tested, problem_of_score)


def extras_are_numbers(tested: SplitUnderTest) -> Problems:
    """An extra is a number or an array of numbers, and is there and of one kind in every sample."""
    problems = list(_of_each(tested, problem_of_extras))
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
                yield f"its context has a {kind} in it, which cannot be brought to a device: it has no to"


def knows_what_its_samples_say(tested: SplitUnderTest) -> Problems:
    """What it says of all rows ahead (labels, groups, ids, modalities) is what its samples have."""
    dataset = tested.dataset
    yield from _of_present(tested)
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


def has_the_values_that_it_counts(tested: SplitUnderTest) -> Problems:
    """A row has as many values of a modality as it counts; with others of them it is the same sample otherwise."""
    dataset = tested.dataset
    counts = dataset.value_counts if isinstance(dataset, HasSeveralValues) else None
    if not counts or not isinstance(dataset, HasSeveralValues):
        return
    if unknown := [name for name in counts if name not in (*dataset.modalities, NEGATIVE)]:
        yield f"value_counts names {unknown[0]!r}, and its modalities are {', '.join(dataset.modalities)}"
        return
    for name, of_row in counts.items():
        if len(of_row) != len(dataset):
            yield f"value_counts has {len(of_row):,} entries of {name}, and the split {len(dataset):,} rows"
            return
    yield from _first(
        problem
        for row, sample in tested.samples()
        if (problem := next(_of_counted(dataset, row, sample, {name: int(of[row]) for name, of in counts.items()}), ""))
    )


def _of_counted(dataset: HasSeveralValues, row: int, sample: Sample, counts: Mapping[str, int]) -> Problems:
    """What is wrong with the other values of a row."""
    for name, count in counts.items():
        has_one = bool(sample.negatives) if name == NEGATIVE else name in sample.values
        if (count > 0) != has_one or count < 0:
            has = "has one" if has_one else "has none"
            yield f"value_counts has {count} values of {name} for row {row}, and its sample {has}"
            return
        try:
            others = {number: dataset.with_values(row, {name: number}) for number in {0, count - 1} if number >= 0}
        except SampleError:
            continue
        for number, other in others.items():
            kept = {key: value for key, value in other.values.items() if key != name or not number}
            known = other.id, other.label, other.group, other.score
            changed = [key for key, value in kept.items() if key in sample.values and _differ(sample[key], value)]
            if changed or other.values.keys() != sample.values.keys():
                what = changed[0] if changed else "modalities"
                yield f"row {row} has another {what} where its {name} is asked for by the number {number}"
            elif known != (sample.id, sample.label, sample.group, sample.score):
                yield f"row {row} has another id, label, group or score with {name} number {number}"


def _of_present(tested: SplitUnderTest) -> Problems:
    """What is wrong with what it says of the modalities of all rows."""
    dataset = tested.dataset
    known = dataset.present if isinstance(dataset, KnowsPresent) else None
    if known is None:
        return
    for name, has in known.items():
        if name not in dataset.modalities:
            yield f"present names {name!r}, and its modalities are {', '.join(dataset.modalities)}"
        elif len(has) != len(dataset):
            yield f"present has {len(has):,} entries of {name}, and the split {len(dataset):,} rows"
            return
    if set(dataset.modalities) <= set(known):
        nothing_N = ~np.any([np.asarray(known[name], dtype=bool) for name in dataset.modalities], axis=0)
        if nothing_N.any():
            yield f"row {int(np.flatnonzero(nothing_N)[0])} has none of its modalities, by present"


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


def _first(problems: Problems) -> Problems:
    """The first row's problem, and how many more rows have one."""
    found = list(problems)
    if found:
        more = len(found) - 1
        yield found[0] + (f" (and {more} more row{'s' * (more > 1)} likewise)" if more else "")


def _of_each(tested: SplitUnderTest, problem_of: Callable[[Sample], str]) -> Problems:
    found = ((row, problem_of(sample)) for row, sample in tested.samples())
    yield from _first(f"row {row}: {problem}" for row, problem in found if problem)


def _as_known(tested: SplitUnderTest, name: str, known: Sequence[Any], of_sample: Callable[[Sample], Any]) -> Problems:
    if len(known) != len(tested.dataset):
        yield f"{name} has {len(known):,} entries, and the split {len(tested.dataset):,} rows"
        return
    yield from _first(
        f"{name} has {known[row]!r} for row {row}, and its sample has {of_sample(sample)!r}"
        for row, sample in tested.samples()
        if known[row] != of_sample(sample)
    )


def _differ(one: Any, other: Any) -> bool:
    """Whether two values are known to differ: what is of no kind that can be compared is not."""
    hashes = content_hash(one), content_hash(other)
    return None not in hashes and hashes[0] != hashes[1]


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _start(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:60] + "…"
