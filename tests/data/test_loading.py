"""Promise 1: the same views, bit for bit, for any number of workers and ranks and from any batch on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from coview import CoviewError, Sample, SampleError
from coview.data.loader import sample_loader, view_loader
from coview.data.order import Order, RankBatches
from coview.data.sample import id_as_int64
from coview.data.skipped import SkippedSamples
from coview.data.views import PipelineStep, ViewMaker


class Numbers:
    """Twenty samples; some cannot be read."""

    splits = ("train",)
    modalities = ("number", "word")
    classes = ("even", "odd")
    citation = licence = version = ""

    def __init__(self, broken=(), n=20):
        self.broken, self.n = broken, n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index in self.broken:
            raise SampleError(f"sample-{index}", "is broken")
        return Sample({"number": float(index), "word": f"w{index}"}, id=f"id-{index}", label=index % 2)


class NumberModality:
    def collate(self, values):
        return torch.tensor(values, dtype=torch.float64)


class WordModality:
    def collate(self, values):
        return {"length": torch.tensor([len(value) for value in values]), "text": list(values)}


class Refusing:
    def collate(self, values):
        raise CoviewError("these values do not fit")


def jitter(value, rng):
    return value + rng.numpy.random() + rng.python.random() + float(torch.rand((), generator=rng.torch))


def scale(value, rng):
    return value * rng.numpy.normal()


def shout(value, rng):
    return value + "!" * rng.python.randint(1, 9)


NUMBER = (PipelineStep(0, jitter), PipelineStep(1, scale))
MAKER = ViewMaker(5, ("number", "word", "number"), (NUMBER, (PipelineStep(0, shout),), NUMBER), 3)
MODALITIES = {"number": NumberModality(), "word": WordModality()}


def batches(workers=0, start=0, stop=7, rank=0, ranks=1, dataset=None, size=6, maker=MAKER):
    order = Order(20, size, seed=5)
    rows = RankBatches(order, start, stop, rank, ranks)
    return list(view_loader(dataset or Numbers(), maker, MODALITIES, rows, workers=workers))


def numbers_of(found):
    return [batch.inputs["number"].tolist() for batch in found]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_workers_gives_the_same(workers):
    alone, shared = batches(0), batches(workers)
    assert numbers_of(alone) == numbers_of(shared)
    assert [b.inputs["word"]["text"] for b in alone] == [b.inputs["word"]["text"] for b in shared]
    assert [b.ids.tolist() for b in alone] == [b.ids.tolist() for b in shared]


class Described(Numbers):
    """With extras, of which one is of another kind in the last of the samples."""

    def __getitem__(self, index):
        extras = {
            "size": index,
            "share": index / 4,
            "box": np.arange(2.0) + index,
            "odd": index if index % 2 else index / 2,
        }
        return replace(super().__getitem__(index), extras=extras)


def described(extras, workers=0):
    rows = RankBatches(Order(20, 6, seed=5), 0, 3, 0, 1)
    return list(view_loader(Described(), MAKER, MODALITIES, rows, workers=workers, extras=extras))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_has_the_extras_that_are_asked_for(workers):
    for batch in described(("share", "box", "size"), workers):
        rows = torch.tensor(batch.rows)
        assert list(batch.extras) == ["share", "box", "size"]
        assert torch.equal(batch.extras["size"], rows)
        assert torch.equal(batch.extras["share"], rows / 4)
        assert torch.equal(batch.extras["box"], rows[:, None] + torch.arange(2, dtype=torch.float64))
    assert batches()[0].extras == {}


def test_extras_that_are_not_there_or_differ_in_kind_are_said():
    with pytest.raises(
        CoviewError, match=r"row \d+ of Described: it has no extra weight \(has size, share, box and 1 more\)"
    ):
        described(("weight",))
    with pytest.raises(CoviewError, match='the extra "odd" is a number and a whole number in one batch'):
        described(("odd",))


def test_going_on_in_mid_epoch_gives_the_same():
    assert numbers_of(batches(0, start=4)) == numbers_of(batches(0))[4:]
    assert numbers_of(batches(2, start=5)) == numbers_of(batches(0))[5:]


def test_ranks_share_each_batch():
    whole, first, second = batches(), batches(rank=0, ranks=2), batches(2, rank=1, ranks=2)
    for batch, one, other in zip(whole, first, second, strict=True):
        views = batch.inputs["number"].view(2, 6)
        assert torch.equal(
            views, torch.cat([one.inputs["number"].view(2, 3), other.inputs["number"].view(2, 3)], dim=1)
        )
        assert torch.equal(batch.ids, torch.cat([one.ids, other.ids]))
        assert torch.equal(batch.labels, torch.cat([one.labels, other.labels]))


def test_views_are_below_each_other_and_computed_by_the_formula():
    from coview import Rng

    batch = batches()[4]  # the second batch of the second epoch: 3 of 6 fit in an epoch of 20
    rows = Order(20, 6, 5).epoch(1)[6:12]
    for view, block in ((0, batch.inputs["number"][:6]), (2, batch.inputs["number"][6:])):
        for row, value in zip(rows, block.tolist(), strict=True):
            key = (5, 1, id_as_int64(f"id-{row}"), view)
            first, second = Rng(*key, 0), Rng(*key, 1)
            expected = float(row) + first.numpy.random() + first.python.random()
            expected += float(torch.rand((), generator=first.torch))
            assert value == expected * second.numpy.normal()


def test_samples_epochs_and_views_differ():
    maker = ViewMaker(5, ("number", "number"), ((PipelineStep(0, lambda value, rng: rng.numpy.random()),),) * 2, 2)
    found = [value for batch in batches(maker=maker) for value in batch.inputs["number"].tolist()]
    assert len(set(found)) == len(found)


def test_another_seed_gives_others():
    maker = ViewMaker(6, MAKER.modalities, MAKER.pipelines, 3)
    assert numbers_of(batches(maker=maker)) != numbers_of(batches())


def test_an_epoch_is_a_permutation_and_another_in_the_next():
    order = Order(20, 6, seed=1)
    assert sorted(order.epoch(0)) == list(range(20))
    assert order.epoch(0).tolist() == order.epoch(0).tolist() != order.epoch(1).tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_that_cannot_be_read_is_left_out_and_named(workers):
    found = batches(workers, stop=3, dataset=Numbers(broken=(3, 4)))
    skipped = [sample for batch in found for sample in batch.skipped]
    met = {row for batch in range(3) for row in Order(20, 6, 5).epoch(0)[batch * 6 :][:6]} & {3, 4}
    assert {sample.what for sample in skipped} == {f"sample-{row}" for row in met}
    assert sum(len(batch) for batch in found) == 18 - len(met)
    assert all(batch.inputs["number"].shape[0] == 2 * len(batch) for batch in found)


def test_more_than_one_per_cent_stops():
    skipped = SkippedSamples(200, "train")
    loader = sample_loader(Numbers(broken=(1, 2, 3)), "number", NumberModality(), batch_size=8, workers=0)
    broken = [sample for batch in loader for sample in batch.skipped]
    first = {sample.row: sample for sample in broken}
    assert [s.row for s in skipped.add([first[1], first[1], first[2]])] == [1, 2]
    assert skipped.add([first[1]]) == []
    with pytest.raises(CoviewError, match=r"3 of the 200 train samples cannot be read(.|\n)*sample-3: is broken"):
        skipped.add([first[3]])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mistake_met_by_a_worker_comes_back_as_itself(workers):
    rows = RankBatches(Order(20, 6, 5), 0, 2)
    loader = view_loader(Numbers(), MAKER, {"number": Refusing()}, rows, workers=workers)
    with pytest.raises(CoviewError, match=r"^these values do not fit$"):
        list(loader)


def test_samples_come_in_order_and_as_they_are():
    found = list(sample_loader(Numbers(), "number", NumberModality(), batch_size=8, workers=2))
    assert torch.cat([batch.inputs["number"] for batch in found]).tolist() == [float(i) for i in range(20)]
    assert torch.cat([batch.labels for batch in found]).tolist() == [i % 2 for i in range(20)]


def test_ids_are_the_same_everywhere():
    assert id_as_int64(7) == 7
    assert id_as_int64("a/b.png") == id_as_int64("a/b.png") != id_as_int64("a/c.png")
    assert 0 <= id_as_int64("ü") < 2**63


def test_scores_and_groups_are_carried():
    class Scored(Numbers):
        def __getitem__(self, index):
            return Sample({"number": 0.0}, id=index, score=index / 2, group="g" if index < 3 else "h")

    batch = next(iter(sample_loader(Scored(n=5), "number", NumberModality(), batch_size=5, workers=0)))
    assert batch.labels is None
    assert batch.scores.tolist() == [0, 0.5, 1, 1.5, 2]
    assert len(np.unique(batch.groups)) == 2
