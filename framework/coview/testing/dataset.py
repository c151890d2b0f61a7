"""What every data set promises, and all checks of one at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from coview.data.dataset_checks import DATASET_CHECKS as CHECKS_OF_A_SPLIT
from coview.data.sample import Sample
from coview.data.split_under_test import SplitUnderTest
from coview.recipe.abilities import splits_of
from coview.testing.conformance import Check, Problems, run_checks
from coview.testing.dataset_under_test import DatasetUnderTest, told, told_of
from coview.testing.other_interpreter import Failed, call_elsewhere, is_pickled


def has_rows(tested: DatasetUnderTest) -> Problems:
    """No split is empty, and some of the rows that are tried can be read."""
    for name, split in tested.splits.items():
        if not len(split.dataset):
            yield f"{name}: it is empty"
        elif not split.rows:
            yield f"{name}: none of the rows that were tried can be read"


def is_the_same_in_another_interpreter(tested: DatasetUnderTest) -> Problems:
    """Built in interpreters of another PYTHONHASHSEED it has the same rows: a run that goes on is in another one.

    One that is defined in ``__main__``, or cannot be pickled, is built anew here.
    """
    elsewhere = tested.factory.__module__ != "__main__" and is_pickled([tested])
    for name, split in tested.splits.items():
        found = call_elsewhere(told_of, tested, name, split.rows) if elsewhere else (told_of(tested, name, split.rows),)
        yield from (f"{name}: {problem}" for problem in islice(_told_otherwise(split, found), 1))


def _told_otherwise(split: SplitUnderTest, elsewhere: Iterable[Any]) -> Problems:
    for found in elsewhere:
        if isinstance(found, Failed):
            yield f"built in another interpreter it fails ({found.reason})"
            continue
        for row, sample, other in zip(split.rows, split.first, found, strict=True):
            if isinstance(sample, Sample) and other != told(sample):
                yield (
                    f"row {row} is another sample where the data set is built anew, so that a run that goes on "
                    "would see other data: look for the order of a set or of a folder's files, or hash() of a text"
                )


def _of_every_split(name: str) -> Check[DatasetUnderTest]:
    def check(tested: DatasetUnderTest) -> Problems:
        for split, read in tested.splits.items():
            yield from (f"{split}: {problem}" for problem in CHECKS_OF_A_SPLIT[name](read))

    check.__name__, check.__doc__ = name, CHECKS_OF_A_SPLIT[name].__doc__
    return check


DATASET_CHECKS: Mapping[str, Check[DatasetUnderTest]] = {
    "has_rows": has_rows,
    **{name: _of_every_split(name) for name in CHECKS_OF_A_SPLIT},
    "is_the_same_in_another_interpreter": is_the_same_in_another_interpreter,
}
"""Name to check."""

_AFTER: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys([name for name in DATASET_CHECKS if name != "has_rows"], ("has_rows",)),
    "ids_differ": ("has_rows", "ids_stay"),
    "reads_modalities_as_all": ("has_rows", "yields_samples", "ids_stay", "values_stay"),
    "negatives_are_of_its_modalities": ("has_rows", "yields_samples"),
    "has_the_values_that_it_counts": ("has_rows", "yields_samples", "ids_stay", "values_stay"),
    "knows_what_its_samples_say": ("has_rows", "ids_stay", "labels_are_class_indices"),
    "is_the_same_in_another_interpreter": (
        "has_rows",
        "yields_samples",
        "ids_stay",
        "values_stay",
        "scores_are_finite_numbers",
        "extras_are_numbers",
    ),
}


def check_dataset(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    splits: Collection[str] | None = None,
    only: Collection[str] = tuple(DATASET_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that the samples of a data set are what they say, and the same whenever and wherever they are read.

    Up to 256 rows of each split, evenly spaced, are read, for a minute at most. A run tries the same on eight rows.

    Args:
        factory: The data set's class, or what else a recipe would build it by.
        parameters: What every split is built with; the defaults otherwise.
        splits: Which to check; all that it says it has by default.
        only: Names of the checks to run, of ``DATASET_CHECKS``.
        except_for: Checks that this data set is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or no split.
    """
    names = splits_of(factory, parameters or {}) if splits is None else tuple(splits)
    if not names:
        raise ValueError("there is no split to check")
    tested = DatasetUnderTest(factory, parameters or {}, names)
    run_checks(DATASET_CHECKS, tested, factory, only, except_for, after=_AFTER)
