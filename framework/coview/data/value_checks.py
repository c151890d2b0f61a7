"""What every split of a data set promises of the values of its samples, and of what it says of them: checks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from coview.data.content import content_hash
from coview.data.dataset import HasNegatives, HasSeveralValues, KnowsPresent, ReadsModalities
from coview.data.present import modalities_of_row
from coview.data.sample import Sample
from coview.data.sample_problem import problem_of_negatives, problem_of_values
from coview.data.split_under_test import Problems, SplitUnderTest, first_of, of_each
from coview.errors import SampleError, few
from coview.recipe.needs import NEGATIVE


def yields_samples(tested: SplitUnderTest) -> Problems:
    """Each row is a ``coview.Sample``, with a value of each of the modalities that the data set says it has."""
    yield from first_of(
        f"row {row} is a {type(one).__name__}, and has to be a coview.Sample"
        for row, one in zip(tested.rows, tested.first, strict=True)
        if not isinstance(one, Sample)
    )
    if list(problems_of_present(tested)):
        return
    found = (
        (row, problem_of_values(sample, *modalities_of_row(tested.dataset, row))) for row, sample in tested.samples()
    )
    yield from first_of(f"row {row}: {problem}" for row, problem in found if problem)


def negatives_are_of_its_modalities(tested: SplitUnderTest) -> Problems:
    """A hard negative is a ``coview.Negative`` of one of its modalities, and the data set says which rows have one."""
    dataset = tested.dataset
    problems = list(of_each(tested, lambda sample: problem_of_negatives(sample, dataset.modalities)))
    yield from problems
    known = (dataset.negatives if isinstance(dataset, HasNegatives) else None) or {}
    if problems:
        return
    for name, has in known.items():
        if len(has) != len(dataset):
            yield f"negatives has {len(has):,} entries of {name}, and the split {len(dataset):,} rows"
            return
    yield from first_of(
        f"row {row} has a hard negative of {' and '.join(sample.negatives) or 'nothing'}, and the data set's negatives "
        f"says {' and '.join(said) or 'nothing'}"
        for row, sample in tested.samples()
        if set(said := [name for name, has in known.items() if has[row]]) != set(sample.negatives)
    )


def values_stay(tested: SplitUnderTest) -> Problems:
    """A row has the same values and extras whenever it is read: what changes them at random is an augmentation."""
    yield from first_of(
        f"row {row} has another value of {name} each time it is read: random changes belong in an augmentation, "
        "whose draws a run repeats"
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
            if lacking := _lacking_beside_values(found, sample, names):
                yield f"{what} lacks {lacking}, which [{row}] has"
                return


def _lacking_beside_values(found: Sample, sample: Sample, names: Collection[str]) -> str:
    """Which extra, or hard negative of some modalities, a sample does not have as another has it; empty if none."""
    if isinstance(found.extras, Mapping) and isinstance(sample.extras, Mapping):
        for name, value in sample.extras.items():
            if _differ(found.extras.get(name), value):
                return f"the extra {name}"
    if isinstance(found.negatives, Mapping) and isinstance(sample.negatives, Mapping):
        for name in sample.negatives:
            if name in names and name not in found.negatives:
                return f"the hard negative of {name}"
    return ""


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
    yield from first_of(
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
        numbers = {0, count - 1} if count else set()
        try:
            others = {number: dataset.with_values(row, {name: number}) for number in numbers}
            alone = {number: dataset.with_values(row, {name: number}, (name,)) for number in numbers}
        except SampleError:
            continue
        for number, other in others.items():
            kept = {key: value for key, value in other.values.items() if key != name or not number}
            known = other.id, other.label, other.group, other.score
            changed = [key for key, value in kept.items() if key in sample.values and _differ(sample[key], value)]
            if changed or other.values.keys() != sample.values.keys():
                what = changed[0] if changed else "modalities"
                yield f"row {row} has another {what} with the {name} of number {number}"
            elif known != (sample.id, sample.label, sample.group, sample.score):
                yield f"row {row} has another id, label, group or score with {name} number {number}"
            elif name in other.values and _differ(alone[number].values.get(name), other.values[name]):
                yield f"row {row} has another {name} of number {number} when {name} alone is asked for"


def problems_of_present(tested: SplitUnderTest) -> Problems:
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


def _differ(one: Any, other: Any) -> bool:
    """Whether two values are known to differ: what is of no kind that can be compared is not."""
    hashes = content_hash(one), content_hash(other)
    return None not in hashes and hashes[0] != hashes[1]
