"""Of several values of a sample each epoch draws one, purely; an evaluation has each of them as a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from coview import Rng, Sample
from coview.data.dataset_checks import check_rows
from coview.data.encoded_rows import EncodedRows
from coview.data.ids import equal_ids
from coview.data.loader import view_loader
from coview.data.mixture import Mixture
from coview.data.order import Order, RankBatches
from coview.data.present import having
from coview.data.sampler import Rows
from coview.data.several_values import DrawnValues, EveryValue, check_ids_of, every_value, value_counts_of
from coview.data.some_rows import SomeRows
from coview.data.values import readable_values
from coview.data.views import ViewMaker
from coview.errors import CoviewError
from coview.testing import check_dataset
from triples import Captions, Triples

SEED = 7


def as_numpy_has_it(seed, epoch, sample, place, count):
    """From the generator's definition: a key of (seed, sample), and a counter that begins at (0, place, 2³², epoch)."""
    bits = np.random.Philox(key=[seed, sample], counter=[0, place, 2**32, epoch])
    return int(np.random.Generator(bits).integers(count))


def test_an_epoch_draws_a_value_from_seed_epoch_and_id():
    data = Captions(split="test")
    drawn, rng = DrawnValues(data, SEED), Rng()
    for row in (0, 5, 2, 7, 39):
        for epoch in (0, 1, 8):
            count = 1 + row % 4
            number = as_numpy_has_it(SEED, epoch, 1000 + row, 0, count) if count > 1 else 0
            expected = data.with_values(row, {"caption": number})
            found = drawn(row, epoch, rng)
            assert found.id == expected.id == 1000 + row
            assert {name: value.tolist() for name, value in found.values.items()} == {
                name: value.tolist() for name, value in expected.values.items()
            }


def test_each_value_comes_as_often_as_another():
    drawn, rng = DrawnValues(Captions(), SEED), Rng()
    counts = Counter(drawn.numbers(row, epoch, rng)["caption"] for row in range(3, 60, 4) for epoch in range(200))
    assert sorted(counts) == [0, 1, 2, 3]
    assert max(abs(count - 750) for count in counts.values()) < 4 * (3000 * 3 / 16) ** 0.5


def test_what_is_drawn_does_not_depend_on_which_rows_are_there():
    data, rng = Captions(), Rng()
    whole = DrawnValues(data, SEED)
    some = having(data, ["sound"])
    assert len(some) == 45
    drawn = DrawnValues(some, SEED)
    for place, row in enumerate(row for row in range(60) if row % 4 != 3):
        assert drawn.numbers(place, 3, rng) == whole.numbers(row, 3, rng)
        assert same(drawn(place, 3, rng), whole(row, 3, rng))


def test_data_that_know_no_ids_are_drawn_of_by_their_rows():
    data = Captions(split="test")
    data.ids = None
    assert DrawnValues(data, SEED).numbers(2, 5, Rng()) == {"caption": as_numpy_has_it(SEED, 5, 2, 0, 3)}


@pytest.mark.parametrize("workers", [0, 2])
def test_every_sample_once_with_the_same_captions_over_ranks_and_workers(workers):
    data, order = Captions(), Order(60, 12, SEED)
    maker = ViewMaker(SEED, ("picture", "caption"), [(), ()], 2)

    def batches(start, stop, rank=0, ranks=1):
        loader = view_loader(
            data, maker, dict.fromkeys(maker.modalities, Stack()), RankBatches(order, start, stop, rank, ranks),
            workers=workers,
        )  # fmt: skip
        return [(batch.rows, batch.inputs["caption"]) for batch in loader]

    whole = batches(0, 10)
    for epoch in range(2):
        rows = [row for of, _ in whole[5 * epoch : 5 * epoch + 5] for row in of]
        assert sorted(rows) == list(range(60))
    for number, (rows, captions) in enumerate(whole):
        for row, caption in zip(rows, captions, strict=True):
            count = 1 + row % 4
            drawn = as_numpy_has_it(SEED, number // 5, row, 0, count) if count > 1 else 0
            assert np.array_equal(caption, data.with_values(row, {"caption": drawn})["caption"])
    shares = [batches(0, 10, rank, 2) for rank in range(2)]
    for (rows, captions), *parts in zip(whole, *shares, strict=True):
        assert rows == parts[0][0] + parts[1][0]
        assert np.array_equal(captions, np.concatenate([part[1] for part in parts]))
    for (rows, captions), (again, same_captions) in zip(whole[7:], batches(7, 10), strict=True):  # resumed in mid-epoch
        assert rows == again
        assert np.array_equal(captions, same_captions)


class Stack:
    def collate(self, values):
        return np.stack(values)


def test_each_value_is_a_row_of_its_sample():
    data = Captions()
    every = every_value(data, "caption")
    expected = [(row, number) for row in range(60) for number in range(1 + row % 4)]
    assert len(every) == len(expected) == 150
    assert every.rows_N.tolist() == [row for row, _ in expected]
    for at, (row, number) in enumerate(expected):
        sample = every[at]
        assert sample.id == sample.group == row
        assert list(sample.values) == ["caption"]
        assert np.array_equal(sample["caption"], data.with_values(row, {"caption": number})["caption"])
    assert len(list(readable_values(data, "caption"))) == 150
    assert every_value(data, "picture") is data
    assert len(every_value(data, "sound")) == 45
    check_ids_of(every, np.arange(150), np.array([row for row, _ in expected]), "it")
    with pytest.raises(CoviewError, match="rows 0 and 5 have the same id"):
        check_ids_of(every, np.arange(150), np.array([row % 5 for row, _ in expected]), "it")


def test_a_group_of_the_data_stays():
    class Grouped(Captions):
        def with_values(self, index, numbers, modalities=None):
            return replace(super().with_values(index, numbers), group=f"g{index % 3}")

    assert EveryValue(Grouped(), "caption")[149].group == "g2"


def test_some_rows_and_a_mixture_have_the_values_of_their_parts():
    some = SomeRows(Captions(), [3, 0, 7])
    assert some.value_counts == {"caption": [4, 1, 4]}
    assert same(some.with_values(2, {"caption": 3}), Captions().with_values(7, {"caption": 3}))
    both = Mixture([Triples(), Captions(split="test")])
    assert value_counts_of(both)["caption"].tolist() == [1] * 60 + [1 + row % 4 for row in range(60)]
    assert both.ids is None, "one of them does not know its own"
    other = both.with_values(63, {"caption": 2})
    assert other.id == "1#1003"
    assert np.array_equal(other["caption"], Captions(split="test").with_values(3, {"caption": 2})["caption"])
    assert value_counts_of(Mixture([Triples(), Triples(split="test")])) == {}
    known = Mixture([Captions(), Captions(split="test")])
    assert [known.ids[row] for row in (0, 60)] == ["0#0", "1#1000"] == [known[row].id for row in (0, 60)]
    check_rows(known, "the mixture")


def test_a_value_that_samples_share_makes_them_alike():
    """By a loop: the fourth captions of rows 3 and 7 are one, as are those of 11 and 15."""
    contents = Rows(Captions()).contents("caption")
    for row in range(60):
        for other in range(row):
            shared = row % 4 == 3 and other % 4 == 3 and row // 8 == other // 8
            assert (contents[row] == contents[other]) == shared


class Stays(Captions):
    def with_values(self, index, numbers, modalities=None):
        return replace(super().with_values(index, numbers), id=index + 60 * numbers.get("caption", 0))


class Moves(Captions):
    def with_values(self, index, numbers, modalities=None):
        sample = super().with_values(index, numbers)
        return replace(sample, values={**sample.values, "picture": sample["picture"] + numbers.get("caption", 0)})


def counting(counts):
    class Counts(Captions):
        def __init__(self, *, split="train"):
            super().__init__(split=split)
            self.value_counts = counts(np.arange(60))

    return Counts


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (Stays, "row 25 has another id, label, group or score with caption number 1"),
        (Moves, "row 25 has another picture with the caption of number 1"),
        (counting(lambda rows: {"captoin": 1 + rows % 4}), "value_counts names 'captoin', and its modalities are"),
        (counting(lambda rows: {"caption": 1 + rows[:59] % 4}), "value_counts has 59 entries of caption, and the"),
        (counting(lambda rows: {"caption": rows % 4}), "value_counts has 0 values of caption for row 0, and its sa"),
    ],
)
def test_what_does_not_keep_its_promises_is_refused(data, problem):
    with pytest.raises(CoviewError) as caught:
        check_rows(data(), "it")
    assert problem in caught.value.message


def test_what_keeps_them_is_taken():
    check_dataset(Captions)
    assert equal_ids(np.arange(3)) is None


def same(one: Sample, other: Sample) -> bool:
    return one.values.keys() == other.values.keys() and all(
        np.array_equal(one[name], other[name]) for name in one.values
    )


class Kept:
    """An encoding for each row."""

    def of_row(self, row):
        return torch.full((2,), float(row))


def test_encodings_of_one_modality_leave_the_drawing_of_another_as_it_is():
    data = Captions()
    encoded = EncodedRows(data, {"picture": Kept()})
    with_encodings, without = DrawnValues(encoded, SEED), DrawnValues(data, SEED)
    for row in range(len(data)):
        for epoch in range(3):
            sample, other = with_encodings(row, epoch, Rng()), without(row, epoch, Rng())
            assert np.array_equal(sample["caption"], other["caption"])
            assert (sample.id, sample["picture"].tolist()) == (other.id, [row, row])
