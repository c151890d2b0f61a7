"""The kit, and a run before it trains, find what is wrong with a data set. Each here is right but for one mistake."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from failing import failures

import coview
from coview.data.dataset_checks import DATASET_CHECKS as CHECKS_OF_A_SPLIT
from coview.data.dataset_checks import check_rows
from coview.data.split_under_test import SplitUnderTest
from coview.testing import DATASET_CHECKS, check_dataset


class Right:
    """Twenty rows of four numbers in two classes."""

    splits = ("train", "test")
    modalities: tuple[str, ...] = ("vector",)
    classes: tuple[str, ...] | None = ("even", "odd")
    citation, licence, version = "none", "CC0", "1"

    def __init__(self, *, split: str = "train", rows: int = 20) -> None:
        self.split, self.rows = split, rows

    def __len__(self):
        return self.rows

    def values(self, index):
        return {"vector": np.arange(4) + index}

    def more(self, index):
        return {"id": f"{self.split}/{index}", "label": index % 2, "group": index // 4, "score": index / 2}

    def __getitem__(self, index):
        return coview.Sample(self.values(index), **self.more(index))


class WithNothingMore(Right):
    classes = None

    def more(self, index):
        return {"id": np.int64(index)}


class HasExtras(Right):
    def more(self, index):
        return {**super().more(index), "extras": {"user": index % 3, "price": index / 2, "box": np.zeros(4)}}


class KnowsAll(Right):
    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.labels = np.array([index % 2 for index in range(self.rows)])
        self.groups = [index // 4 for index in range(self.rows)]
        self.ids = [f"{self.split}/{index}" for index in range(self.rows)]


class ReadsModalities(Right):
    modalities = ("vector", "text")

    def values(self, index):
        return {**super().values(index), "text": f"row {index}"}

    def read_modalities(self, index, modalities):
        sample = self[index]
        return coview.Sample({name: sample[name] for name in modalities}, **self.more(index))


class ReadsAllModalities(ReadsModalities):
    def read_modalities(self, index, modalities):
        return self[index]


class ReadsAnotherRow(ReadsModalities):
    def read_modalities(self, index, modalities):
        return super().read_modalities(index ^ 1, modalities)


class ReadsNoExtras(ReadsModalities):
    def more(self, index):
        return {**super().more(index), "extras": {"weight": 1.0}}

    def read_modalities(self, index, modalities):
        return dataclasses.replace(super().read_modalities(index, modalities), extras={})


class ReadsAnArray(ReadsModalities):
    def read_modalities(self, index, modalities):
        return self.values(index)


class HasSeveral(Right):
    """Two values of every sample but the first."""

    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.value_counts = {"vector": [1 if row == 0 else 2 for row in range(self.rows)]}

    def with_values(self, index, numbers, modalities=None):
        sample = self[index]
        return dataclasses.replace(sample, values={"vector": sample["vector"] + 100 * numbers.get("vector", 0)})


class HasNothingAlone(HasSeveral):
    def with_values(self, index, numbers, modalities=None):
        sample = super().with_values(index, numbers)
        return sample if modalities is None else dataclasses.replace(sample, values={})


class LosesItsLabel(HasSeveral):
    def with_values(self, index, numbers, modalities=None):
        return dataclasses.replace(super().with_values(index, numbers), label=None)


class UnsaidNegative(Right):
    def more(self, index):
        return {**super().more(index), "negatives": {"vector": coview.Negative(np.zeros(4))}}


class SomeCannotBeRead(Right):
    def __getitem__(self, index):
        if index % 3 == 0:
            raise coview.SampleError(f"row {index}", "is torn")
        return super().__getitem__(index)


class Empty(Right):
    def __len__(self):
        return 0


class NoneCanBeRead(Right):
    def __getitem__(self, index):
        raise coview.SampleError(f"row {index}", "is torn")


class ClassesInAList(Right):
    classes: Any = ["even", "odd"]  # noqa: RUF012


class NumberOfAVersion(Right):
    version: Any = 1


class Pairs(Right):
    def __getitem__(self, index):
        return self.values(index), index % 2


class LacksAModality(Right):
    modalities = ("vector", "text")


class NoMapping(Right):
    def values(self, index):
        return np.arange(4)


class Changed(Right):
    """Right but for what a subclass puts in place of some of what is known of a sample."""

    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.reads = 0

    def changed(self, index):
        return {}

    def more(self, index):
        self.reads += 1
        return {**super().more(index), **self.changed(index)}


class NegativeIds(Changed):
    def changed(self, index):
        return {"id": index - 1}


class IdsOfTuples(Changed):
    def changed(self, index):
        return {"id": (self.split, index)}


class IdsOfBooleans(Changed):
    def changed(self, index):
        return {"id": index == 1}


class CountsReadings(Changed):
    def changed(self, index):
        return {"id": 1000 * index + self.reads}


class ModuloTen(Changed):
    def changed(self, index):
        return {"id": index % 10}


class DuplicatesThatItKnows(KnowsAll):
    """Two of a thousand rows, of which a run reads eight."""

    def __init__(self, *, split: str = "train", rows: int = 1000) -> None:
        super().__init__(split=split, rows=rows)
        self.ids[777] = self.ids[555]

    def more(self, index):
        return {**super().more(index), "id": self.ids[index]}


class Noisy(Right):
    def values(self, index):
        return {"vector": np.arange(4) + index + np.random.default_rng().random(4)}


class LabelBeyond(Changed):
    def changed(self, index):
        return {"label": 2 if index == self.rows - 1 else 0}


class LabelOfMinusOne(Changed):
    def changed(self, index):
        return {"label": -1}


class LabelOfAName(Changed):
    def changed(self, index):
        return {"label": "even"}


class GroupOfALength(Changed):
    def changed(self, index):
        return {"group": 0.5}


class ScoreOfAText(Changed):
    def changed(self, index):
        return {"score": "high"}


class ScoreOfNoNumber(Changed):
    def changed(self, index):
        return {"score": float("nan")}


class ExtraOfAText(Changed):
    def changed(self, index):
        return {"extras": {"user": "anna"}}


class ExtrasOfTwoKinds(Changed):
    def changed(self, index):
        return {"extras": {"price": 3 if index == 0 else 3.5}}


class ExtraThatIsMissing(Changed):
    def changed(self, index):
        return {"extras": {"user": 1} if index < 19 else {}}


class NoisyExtra(Changed):
    def changed(self, index):
        return {"extras": {"weight": np.random.default_rng().random()}}


class ContextOfAnArray(Right):
    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.context = {"edges": np.zeros((2, 3))}


class KnowsOtherLabels(KnowsAll):
    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.labels = 1 - self.labels


class KnowsTooFewGroups(KnowsAll):
    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.groups = self.groups[1:]


class KnowsOtherIds(KnowsAll):
    def __init__(self, **parameters) -> None:
        super().__init__(**parameters)
        self.ids = [f"{name}.png" for name in self.ids]


class IdsOfHashes(Changed):
    def changed(self, index):
        return {"id": abs(hash(f"{self.split}/{index}"))}


class RowsOfASet(Changed):
    def changed(self, index):
        return {"id": f"{self.split}/{[*{f'picture {row}' for row in range(len(self))}][index]}"}


WRONG = [
    (Empty, "has_rows", "train: it is empty"),
    (NoneCanBeRead, "has_rows", "test: none of the rows that were tried can be read"),
    (ClassesInAList, "says_what_it_is", "classes has to be a tuple of texts, or None, got ['even', 'odd']"),
    (NumberOfAVersion, "says_what_it_is", "version has to be a text, got 1"),
    (Pairs, "yields_samples", "row 0 is a tuple, and has to be a coview.Sample"),
    (LacksAModality, "yields_samples", "row 0: it has no value of text (has vector)"),
    (NoMapping, "yields_samples", "have to be a mapping from modality to value (and 19 more rows likewise)"),
    (NegativeIds, "ids_are_texts_or_whole_numbers", "row 0: its id is the int -1, and has to be a text, or a whole"),
    (IdsOfTuples, "ids_are_texts_or_whole_numbers", "row 0: its id is the tuple ('train', 0)"),
    (IdsOfBooleans, "ids_are_texts_or_whole_numbers", "row 0: its id is the bool False"),
    (CountsReadings, "ids_stay", "row 0 has the id 1 when it is read first and 40 later"),
    (ModuloTen, "ids_differ", "rows 0 and 10 have the same id, 0; each has to have its own: views are seeded by"),
    (DuplicatesThatItKnows, "ids_differ", "train: rows 555 and 777 have the same id, 'train/555'"),
    (Noisy, "values_stay", "row 0 has another value of vector each time it is read: random changes belong in an"),
    (ReadsAllModalities, "reads_modalities_as_all", "train: read_modalities(0, ()) has values of vector, text"),
    (ReadsAnotherRow, "reads_modalities_as_all", "train: read_modalities(0, ()) is another sample than [0]"),
    (ReadsNoExtras, "reads_modalities_as_all", "read_modalities(0, ()) lacks the extra weight, which [0] has"),
    (ReadsAnArray, "reads_modalities_as_all", "read_modalities(0, ()) is a dict, and has to be a coview.Sample"),
    (LabelBeyond, "labels_are_class_indices", "row 19: its label is 2, and has to be from 0 to 1, as there are 2 cl"),
    (LabelOfMinusOne, "labels_are_class_indices", "row 0: its label is -1"),
    (LabelOfAName, "labels_are_class_indices", "its label is the str 'even', and has to be a whole number"),
    (GroupOfALength, "groups_are_texts_or_whole_numbers", "row 0: its group is the float 0.5"),
    (ScoreOfAText, "scores_are_finite_numbers", "row 0: its score is the str 'high', and has to be a finite number"),
    (ScoreOfNoNumber, "scores_are_finite_numbers", "row 0: its score is the float nan"),
    (ExtraOfAText, "extras_are_numbers", "row 0: its extra user is the str 'anna', and has to be a number or an array"),
    (
        ExtrasOfTwoKinds,
        "extras_are_numbers",
        "the extra price has to be of one kind in every sample, and is a whole number in row 0, a number",
    ),
    (
        ExtraThatIsMissing,
        "extras_are_numbers",
        "user has to be of one kind in every sample, and is a whole number in row",
    ),
    (NoisyExtra, "values_stay", "row 0 has another value of weight each time it is read"),
    (ContextOfAnArray, "context_can_be_moved", "its context has a ndarray in it, which cannot be brought to a device"),
    (KnowsOtherLabels, "knows_what_its_samples_say", "labels has 1 for row 0, and its sample has 0"),
    (KnowsTooFewGroups, "knows_what_its_samples_say", "groups has 19 entries, and the split 20 rows"),
    (KnowsOtherIds, "knows_what_its_samples_say", "ids has 'train/0.png' for row 0, and its sample has 'train/0'"),
    (LosesItsLabel, "has_the_values_that_it_counts", "row 0 has another id, label, group or score with vector number"),
    (HasNothingAlone, "has_the_values_that_it_counts", "row 0 has another vector of number 0 when vector alone"),
    (
        UnsaidNegative,
        "negatives_are_of_its_modalities",
        "row 0 has a hard negative of vector, and the data set's negat",
    ),
    (RowsOfASet, "is_the_same_in_another_interpreter", "is another sample where the data set is built anew"),
    (IdsOfHashes, "is_the_same_in_another_interpreter", "train: row 0 is another sample where the data set is built"),
]


@pytest.mark.parametrize(
    "right", [Right, WithNothingMore, HasExtras, HasSeveral, KnowsAll, ReadsModalities, SomeCannotBeRead]
)
def test_what_is_right_passes(right):
    check_dataset(right)
    check_rows(right(), "here")


@pytest.mark.parametrize(("wrong", "check", "says"), WRONG, ids=lambda part: getattr(part, "__name__", ""))
def test_what_is_wrong_is_found_and_said_and_nothing_else(wrong, check, says):
    failed, message = failures(check_dataset, wrong)
    assert failed == {check}
    assert says in message


@pytest.mark.parametrize(("wrong", "check", "says"), [row for row in WRONG if row[1] in CHECKS_OF_A_SPLIT])
def test_a_run_refuses_the_same(wrong, check, says):
    with pytest.raises(coview.CoviewError) as caught:
        check_rows(wrong(rows=12) if wrong is ModuloTen else wrong(), "recipe.toml:5")
    assert caught.value.message.startswith("recipe.toml:5: ")
    assert "coview.testing.check_dataset" in caught.value.hint


def test_every_check_has_a_data_set_that_it_finds_out():
    assert {check for _, check, _ in WRONG} == set(DATASET_CHECKS)
    assert all(check.__doc__ for check in DATASET_CHECKS.values())


def test_only_some_splits_are_checked_where_they_are_named():
    class TestIsWrong(Right):
        def more(self, index):
            return {**super().more(index), **({"label": 9} if self.split == "test" else {})}

    check_dataset(TestIsWrong, splits=["train"])
    _, message = failures(check_dataset, TestIsWrong)
    assert "test: row 0: its label is 9" in message
    assert "train:" not in message


def test_few_rows_are_read_and_fewer_where_they_take_long():
    class Slow(Right):
        def __getitem__(self, index):
            if index:
                import time

                time.sleep(0.05)
            return super().__getitem__(index)

    assert SplitUnderTest.read(Right(rows=1000)).rows == (0, 142, 285, 428, 570, 713, 856, 999)
    assert SplitUnderTest.read(Right(rows=3)).rows == (0, 1, 2)
    assert SplitUnderTest.read(Slow(rows=1000), seconds=0.08).rows == (0, 142)


def test_the_digits_pass(registry):
    check_dataset(registry.resolve("dataset", "digits").factory())
