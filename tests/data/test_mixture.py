"""A mixture is a pure function of (seed, epoch): each sample once in an epoch at most, in the ratio of the weights."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from coview import Sample
from coview.builtin.samplers import ByLength, MPerClass, NoDuplicates, Uniform
from coview.data.lacking_labels import lacking_labels
from coview.data.loader import view_loader
from coview.data.mixture import Mixture, counts_of_epoch
from coview.data.order import Order, RankBatches
from coview.data.sample import id_as_int64
from coview.data.sampler import Rows
from coview.data.views import PipelineStep, ViewMaker


class Words:
    """Some texts, with ids that clash with those of others."""

    splits = ("train",)
    modalities = ("text",)
    citation = licence = ""

    def __init__(self, name, n, classes=("a", "b"), groups=True, knows=True):
        self.name, self.n, self.classes, self.version = name, n, classes, f"{name} {n}"
        labels = None if classes is None else [row % len(classes) for row in range(n)]
        self.labels = labels if knows else None
        self._labels = labels
        self.groups = [f"g{row % 3}" for row in range(n)] if groups else None

    def __len__(self):
        return self.n

    def __getitem__(self, row):
        label = None if self._labels is None else self._labels[row]
        group = None if self.groups is None else self.groups[row]
        return Sample({"text": self.name * (row + 1)}, id=row, label=label, group=group)


def mixture(weights=(3, 1), sizes=(100, 10)):
    return Mixture([Words("x", sizes[0]), Words("y", sizes[1], ("b", "c"))], weights)


@pytest.mark.parametrize(
    ("sizes", "weights", "expected"),
    [
        ((100, 10), None, (100, 10)),
        ((100, 10), (3, 1), (30, 10)),
        ((100, 10), (1, 1), (10, 10)),
        ((100, 10), (20, 1), (100, 5)),
        ((100, 10, 50), (0.5, 0.1, 0.4), (50, 10, 40)),
        ((100, 10), (1000, 1), (100, 0)),
    ],
)
def test_an_epoch_ends_where_the_first_has_no_sample_left(sizes, weights, expected):
    assert counts_of_epoch(sizes, weights) == expected


def test_each_sample_comes_at_most_once_in_an_epoch_and_once_in_a_turn():
    mixed = mixture()
    epochs = [mixed.rows_of_epoch(7, epoch) for epoch in range(6)]
    for rows in epochs:
        assert len(set(rows)) == len(rows) == 40
        assert Counter(mixed.parts_of(rows).tolist()) == {0: 30, 1: 10}
        assert set(rows[30:]) == set(range(100, 110)), "the smaller set is there whole in each"
    turns = [np.concatenate([rows[:30] for rows in epochs[first : first + 3]]) for first in (0, 3)]
    assert all(len(set(turn)) == 90 for turn in turns), "three of thirty fit into a hundred"
    assert set(turns[0]) != set(turns[1]), "which ten are left out is drawn anew"
    assert epochs[0].tolist() == mixture().rows_of_epoch(7, 0).tolist()
    assert epochs[0].tolist() != mixture().rows_of_epoch(8, 0).tolist()
    assert epochs[0][30:].tolist() != epochs[1][30:].tolist(), "in a new order"


def test_over_many_epochs_every_sample_of_a_set_comes_equally_often():
    mixed = mixture(weights=(1, 1), sizes=(30, 10))
    counts = Counter(np.concatenate([mixed.rows_of_epoch(0, epoch) for epoch in range(30)]).tolist())
    assert {row: counts[row] for row in range(30)} == dict.fromkeys(range(30), 10)
    assert {row: counts[row] for row in range(30, 40)} == dict.fromkeys(range(30, 40), 30)


def test_without_weights_an_epoch_is_every_sample_once():
    assert sorted(mixture(None).rows_of_epoch(3, 5).tolist()) == list(range(110))


def test_classes_are_one_by_name_and_ids_and_groups_are_each_sets_own():
    mixed = mixture()
    assert mixed.classes == ("a", "b", "c")
    assert [mixed[row].label for row in (0, 1, 100, 101)] == [0, 1, 1, 2]
    assert mixed.labels.tolist() == [mixed[row].label for row in range(110)]
    assert list(mixed.groups) == [mixed[row].group for row in range(110)]
    assert len({id_as_int64(mixed[row].id) for row in range(110)}) == 110
    assert mixed[0].group != mixed[100].group
    assert mixed[100].values == {"text": "y"}


def test_what_one_set_does_not_know_ahead_is_not_known():
    unknown = Mixture([Words("x", 5), Words("y", 5, knows=False, groups=False)])
    assert unknown.labels is None
    assert unknown.groups is None
    without = Mixture([Words("x", 5), Words("y", 4, None)])
    assert without.labels.tolist() == [0, 1, 0, 1, 0, -1, -1, -1, -1]
    assert lacking_labels(without) == 4
    assert lacking_labels(Mixture([Words("x", 5, knows=False), Words("y", 4, None)])) == 4


class Lengths:
    def collate(self, values):
        return torch.tensor([len(value) for value in values], dtype=torch.float64)


def batches(mixed, workers=0, start=0, stop=12, rank=0, ranks=1):
    all_rows = Rows(mixed)

    def of_epoch(epoch, rng):
        chosen = mixed.rows_of_epoch(5, epoch)
        return chosen[Uniform()(all_rows.only(chosen), 8, rng)]

    order = Order(mixed.samples_per_epoch, 8, 5, of_epoch)
    step = PipelineStep(0, lambda value, rng: value + "!" * rng.python.randint(1, 99))
    maker = ViewMaker(5, ("text", "text"), ((step,),) * 2, 2)
    return list(
        view_loader(mixed, maker, {"text": Lengths()}, RankBatches(order, start, stop, rank, ranks), workers=workers)
    )


def told(found):
    return [(batch.ids.tolist(), batch.inputs["text"].tolist()) for batch in found]


def test_workers_and_a_resume_in_mid_epoch_give_the_same():
    expected = told(batches(mixture()))
    assert told(batches(mixture(), workers=2)) == expected
    for start in (1, 5, 7):  # an epoch has five batches
        assert told(batches(mixture(), start=start)) == expected[start:]


def test_ranks_share_each_batch():
    whole = batches(mixture())
    shares = [batches(mixture(), rank=rank, ranks=2) for rank in range(2)]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert batch.ids.tolist() == one.ids.tolist() + other.ids.tolist()


def test_a_sample_that_comes_again_has_other_views():
    found = [
        (int(sample), views)
        for batch in batches(mixture((1, 1)), stop=20)
        for sample, views in zip(batch.ids, batch.inputs["text"].view(2, -1).T.tolist(), strict=True)
    ]
    repeated = [sample for sample, times in Counter(sample for sample, _ in found).items() if times >= 5]
    assert repeated
    for sample in repeated:
        views = [tuple(seen) for of, seen in found if of == sample]
        assert len(set(views)) > 1


@pytest.mark.parametrize("sampler", [Uniform(), MPerClass(m=2), NoDuplicates(by="group"), ByLength()])
def test_samplers_make_batches_of_the_rows_of_an_epoch(sampler):
    mixed = mixture(weights=(1, 1), sizes=(100, 40))
    chosen = mixed.rows_of_epoch(1, 2)
    rows = Rows(mixed).only(chosen)
    from coview import Rng

    size = 6
    found = sampler(rows, size, Rng(3))
    assert found.shape == (80 // size, size)
    assert rows.labels.tolist() == [mixed[row].label for row in chosen]
    assert rows.lengths("text").tolist() == [len(mixed[row]["text"]) for row in chosen]
    assert len(set(rows.contents("text").tolist())) == 80
    groups = {row: mixed[row].group for row in chosen}
    assert [rows.groups[at] == rows.groups[0] for at in range(80)] == [
        groups[row] == groups[chosen[0]] for row in chosen
    ]
    for batch in found:
        assert len(set(batch.tolist())) == size
        if isinstance(sampler, NoDuplicates):
            assert len({groups[chosen[at]] for at in batch}) == size
        if isinstance(sampler, MPerClass):
            assert set(Counter(mixed[chosen[at]].label for at in batch).values()) == {2}


def test_what_samples_say_of_themselves_goes_with_them():
    class Rated(Words):
        def __getitem__(self, row):
            return Sample({"text": self.name}, id=row, score=row / 2, extras={"stars": row})

    both = Mixture([Rated("x", 3), Rated("y", 4)])
    assert [(sample.extras, sample.score) for sample in (both[2], both[6])] == [
        ({"stars": 2}, 1.0),
        ({"stars": 3}, 1.5),
    ]
