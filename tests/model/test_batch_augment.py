"""Steps that work on batches: rows as the formula says, state in the checkpoint, the same for any loading and ranks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import nn

import coview
from coview.data.batch import Batch
from coview.data.batch_rng import BatchRng
from coview.data.building import BatchStep
from coview.data.draws_ahead import BatchKey
from coview.experiment.trial import try_out
from coview.model.batch_augment import BatchAugment


class AddNoise:
    """Adds numbers to each row."""

    batch: ClassVar[bool] = True

    def __call__(self, batch, rng):
        assert len(batch) == rng.rows
        return batch + rng.uniform(batch[0].numel()).view(batch.shape)


class MixIn(nn.Module):
    """Adds some of what it has seen before."""

    batch: ClassVar[bool] = True

    def __init__(self, *, size: int = 5):
        super().__init__()
        self.register_buffer("seen", torch.zeros(size, 1))

    def forward(self, batch, rng):
        rows = batch.flatten(1)
        picks = (rng.uniform() * len(self.seen)).long()[:, 0]
        once = rng.of_view().uniform().repeat_interleave(len(rows) // len(rng.of_view().views), 0)
        mixed = rows + self.seen[picks].mean(1, keepdim=True) + once
        self.seen.copy_(rows.mean(1, keepdim=True)[torch.arange(len(self.seen)) % len(rows)])
        return mixed.view(batch.shape)


class Both:
    """One sample at a time, or a batch."""

    def __call__(self, value, rng):
        return value + 1

    def batched(self):
        return AddNoise()


IDS = torch.arange(6) + 50


def augment(*steps, of_view=("a",) * 3, global_views=2, finish=None):
    return BatchAugment(4, steps, of_view, global_views, finish or {})


def batch(ids=IDS, views=2, local=1):
    x = ids[:, None].double().repeat(views + local, 3)
    cut = views * len(ids)
    return Batch({"a": x[:cut]}, ids, None, None, None, {"a": x[cut:]} if local else {}, epoch=2)


def noise(views, position=0, ids=IDS):
    return BatchRng(4, 2, ids, views, position).uniform(3)


def test_each_row_gets_what_the_formula_says_in_global_and_local_views():
    found = augment(BatchStep("a", 0, (0, 1, 2), AddNoise()), BatchStep("a", 3, (0, 1, 2), AddNoise()))(batch())
    assert found.inputs["a"].equal(batch().inputs["a"] + noise((0, 1)) + noise((0, 1), 3))
    assert found.local_inputs["a"].equal(batch().local_inputs["a"] + noise((2,)) + noise((2,), 3))


def test_a_step_leaves_the_views_that_are_not_its_own():
    found = augment(BatchStep("a", 1, (1,), AddNoise()), BatchStep("a", 2, (0, 1, 2), AddNoise()))(batch())
    expected = batch().inputs["a"] + torch.cat([torch.zeros(6, 3), noise((1,), 1)]) + noise((0, 1), 2)
    assert found.inputs["a"].equal(expected)
    assert found.local_inputs["a"].equal(batch().local_inputs["a"] + noise((2,), 2))


def test_another_modality_is_only_finished():
    inputs = {"a": torch.ones(6, 3), "b": torch.ones(6, 3)}
    steps = (BatchStep("a", 0, (0,), AddNoise()),)
    made = augment(*steps, of_view=("a", "b"), finish={"a": lambda x: x * 10, "b": lambda x: x - 1})
    found = made(Batch(inputs, IDS, None, None, None, epoch=2))
    assert found.inputs["b"].equal(inputs["b"] - 1)
    assert found.inputs["a"].equal((inputs["a"] + noise((0,))) * 10)


def test_views_that_end_in_different_shapes_are_a_message():
    class Shorten(AddNoise):
        def __call__(self, batch, rng):
            return batch[:, :2]

    with pytest.raises(coview.CoviewError, match=r"differ in shape after augmentation: \(2,\) and \(3,\)"):
        augment(BatchStep("a", 0, (1,), Shorten()))(batch())


class IntoMapping(AddNoise):
    """Makes a mapping of a tensor."""

    def __call__(self, batch, rng):
        return {"pixels": batch}


@pytest.mark.parametrize(
    ("views", "finish"),
    [((0, 1, 2), {"a": lambda x: x.to(torch.float32)}), ((1,), None)],
    ids=["what a modality finishes", "some of the views"],
)
def test_a_step_that_makes_another_kind_of_batch_is_a_message_where_the_first_is_needed(views, finish):
    with pytest.raises(
        coview.CoviewError, match=r"augmentation 1 of a, IntoMapping, .* makes a mapping \(dict\) of a tensor"
    ):
        augment(BatchStep("a", 0, views, IntoMapping()), finish=finish)(batch())


def test_an_encoder_may_take_what_a_step_makes():
    found = augment(BatchStep("a", 0, (0, 1, 2), IntoMapping()))(batch())
    assert found.inputs["a"]["pixels"].equal(batch().inputs["a"])


def test_a_step_that_loses_rows_is_a_message():
    class Half(AddNoise):
        def __call__(self, batch, rng):
            return batch[::2]

    with pytest.raises(coview.CoviewError, match=r"Half, .* shape \(6, 3\) of 12 rows"):
        augment(BatchStep("a", 0, (0, 1, 2), Half()))(batch())


def test_state_is_in_the_state_dict():
    made = augment(BatchStep("a", 2, (0, 1), MixIn()), BatchStep("a", 3, (0, 1), AddNoise()))
    made(batch())
    assert list(made.state_dict()) == ["a_2.seen"]
    assert made.state_dict()["a_2.seen"].flatten().tolist() == [50, 51, 52, 53, 54]


class AddOnce(AddNoise):
    """Adds the same numbers to each row of a view."""

    def __call__(self, batch, rng):
        by_view = rng.of_view().uniform(batch[0].numel()).repeat_interleave(len(batch) // len(rng.of_view().views), 0)
        return batch + by_view.view(batch.shape) + rng.uniform(batch[0].numel()).view(batch.shape)


def test_a_shared_step_draws_for_all_views_what_the_first_one_draws():
    """Global and local ones, also where steps before it took them apart."""
    steps = (
        BatchStep("a", 0, (0, 1, 2), AddNoise(), drawn_as=0),
        BatchStep("a", 1, (1,), AddNoise()),
        BatchStep("a", 2, (1, 2), AddNoise(), drawn_as=1),
        BatchStep("a", 3, (0, 1, 2), AddNoise()),
    )
    made = augment(*steps)
    zero = torch.zeros(6, 3)
    for _ in range(2):  # the second draws ahead
        found = made(batch())
        first = noise((0,)) + torch.cat([zero, noise((1,), 1)]).view(2, 6, 3)
        expected = (first + torch.stack([zero, noise((1,), 2)])).flatten(0, 1) + noise((0, 1), 3)
        assert torch.allclose(found.inputs["a"], batch().inputs["a"] + expected, atol=1e-6)
        expected = noise((0,)) + noise((1,), 2) + noise((2,), 3)
        assert torch.allclose(found.local_inputs["a"], batch().local_inputs["a"] + expected, atol=1e-6)


def test_what_is_drawn_once_for_a_view_is_the_same_for_the_samples_of_a_batch_and_differs_between_batches():
    def added(ids, number, shared=None):
        made = augment(BatchStep("a", 1, (0, 1, 2), AddOnce(), drawn_as=shared))
        own = BatchRng(4, 2, ids, (0, 1) if shared is None else (shared,) * 2, 1).uniform(3)
        given = replace(batch(ids), number=number)
        return (made(given).inputs["a"] - given.inputs["a"] - own).unflatten(0, (2, len(ids)))

    found = added(IDS, 3)
    formula = BatchRng(4, 2, IDS, (0, 1), 1, number=torch.tensor([3])).of_view().uniform(3)
    assert torch.allclose(found, formula[:, None].expand(2, 6, 3).double(), atol=1e-6)
    assert torch.allclose(found[:, :2], added(IDS[4:], 3), atol=1e-6)
    assert not torch.isclose(found, added(IDS, 4)).any()
    assert not torch.isclose(found[0], found[1]).any()
    assert torch.allclose(*added(IDS, 3, shared=0), atol=1e-6)


def test_what_a_gpu_would_replay_draws_the_same():
    """The recording gets all numbers of its batch, those of shared steps and those that are drawn once as well."""
    steps = (
        BatchStep("a", 0, (0, 1, 2), AddOnce(), drawn_as=0),
        BatchStep("a", 1, (1, 2), AddOnce()),
        BatchStep("a", 2, (0, 1, 2), AddNoise()),
    )
    made = augment(*steps)
    made(batch())
    for number in range(3):
        given = replace(batch(), number=number)
        key = BatchKey(4, given.epoch, torch.tensor([number]), IDS)
        ahead = made._draws.of_batch(key).ahead
        parts = {"inputs": given.inputs, "local_inputs": given.local_inputs, "ids": IDS, "number": key.number}
        replayed, alone = made._with_drawn({**parts, "ahead": ahead}), augment(*steps)(given)
        assert replayed["inputs"]["a"].equal(alone.inputs["a"])
        assert replayed["local_inputs"]["a"].equal(alone.local_inputs["a"])


# ---- two ranks -----------------------------------------------------------------------------------------------------


def steps_of_two():
    steps = (("a", 0, (0, 1, 2), AddNoise(), 0), ("a", 1, (0, 1), MixIn()), ("a", 2, (0, 1), AddOnce(), 0))
    return augment(*(BatchStep(*step) for step in steps))


def two_batches(made, rows):
    return [
        value
        for ids in (IDS, IDS + 9)
        for value in (lambda b: (b.inputs["a"], b.local_inputs["a"]))(made(batch(ids[rows])))
    ]


def rank_of_two(rank, address, bounds, queue):
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    made = steps_of_two()
    found = two_batches(made, slice(bounds[rank], bounds[rank + 1]))
    queue.put((rank, [value.tolist() for value in found], made.state_dict()["a_1.seen"].tolist()))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [[0, 3, 6], [0, 2, 6]], ids=["equal", "uneven"])
def test_two_ranks_make_the_batch_and_the_state_of_one(tmp_path, bounds):
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    torch.multiprocessing.spawn(rank_of_two, args=(str(tmp_path / "meeting"), bounds, queue), nprocs=2, join=False)
    parts = sorted(queue.get() for _ in range(2))
    alone = steps_of_two()
    for number, expected in enumerate(two_batches(alone, slice(None))):
        by_view = [
            torch.tensor(values[number], dtype=torch.float64).unflatten(0, (-1, n))
            for (_, values, _), n in zip(parts, (bounds[1], 6 - bounds[1]), strict=True)
        ]
        assert torch.cat(by_view, 1).flatten(0, 1).equal(expected)
    assert [seen for _, _, seen in parts] == [alone.state_dict()["a_1.seen"].tolist()] * 2


# ---- in runs -------------------------------------------------------------------------------------------------------

STEPS = """
[[augment]]
use = "both"
on = "device"
shared = true

[[augment]]
use = "mix_in"

[encoder]"""


class OnlySo:
    """Whose parameters no batched form has."""

    def __call__(self, value, rng):
        return value

    def batched(self):
        raise ValueError("so it works in a worker only")


@pytest.fixture
def added(registry):
    found = coview.Registrar("test")
    home = f"{__name__}:"
    found.augmentation("both", home + "Both", modality="image", summary="either way")
    found.augmentation("mix_in", home + "MixIn", modality="image", summary="with state")
    found.augmentation("only_so", home + "OnlySo", modality="image", summary="no batches with these parameters")
    return registry.plus(found)


@pytest.fixture
def read(write_recipe, small_recipe, added):
    def read(workers=0, steps=STEPS):
        text = small_recipe.replace("\n[encoder]", steps).replace("workers = 0", f"workers = {workers}")
        return coview.load_recipe(write_recipe(text), registry=added)

    return read


@pytest.mark.slow
def test_any_number_of_workers_ends_with_the_same_weights_and_state(read, added, tmp_path):
    ends = [coview.run(read(workers), tmp_path / str(workers), registry=added, quiet=True) for workers in (0, 2)]
    weights = [run.topology.state_dict() for run in ends]
    assert weights[0].keys() == weights[1].keys()
    assert "augment.image_2.seen" in weights[0]
    assert weights[0]["augment.image_2.seen"].abs().sum() > 0
    assert all(weights[0][key].equal(weights[1][key]) for key in weights[0])


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_state_of_one_that_was_not_stopped(read, added, tmp_path):
    run = coview.run(read(), tmp_path, registry=added, quiet=True)
    expected = run.topology.state_dict()
    environment = json.loads(run.folder.environment.read_text())
    run.folder.environment.write_text(json.dumps({**environment, "finished": None}))
    last = run.folder.checkpoints / "step-6"
    last.rename(last.with_name("taken-away"))
    again = coview.run(read(), tmp_path, resume=True, registry=added, quiet=True).topology.state_dict()
    assert all(again[key].equal(expected[key]) for key in expected)


def test_trying_it_out_goes_through_the_batch_steps(read, added):
    assert "projections 2 × 4 × 8" in try_out(read(), added)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ('use = "only_so"\non = "device"\n', r"recipe.toml:\d+: augment.1.on: so it works in a worker only"),
        ('use = "mix_in"\non = "worker"\n', r"recipe.toml:\d+: augment.1.on: mix_in works on batches"),
        (
            'use = "albumentations:Posterize"\non = "device"\n',
            r"recipe.toml:\d+: augment.1.on: albumentations:Posterize works on one sample at a time",
        ),
        (
            'use = "mix_in"\n\n[[augment]]\nuse = "random_flip"\n',
            r"recipe.toml:17: augment.2.use: random_flip works in a worker, but comes after mix_in, which works on",
        ),
    ],
)
def test_a_step_in_the_wrong_place_is_a_mistake_with_its_line(read, steps, message):
    with pytest.raises(coview.RecipeError, match=message):
        read(steps=f"\n[[augment]]\n{steps}\n[encoder]")


def test_a_later_step_for_other_views_may_be_in_a_worker(read):
    read(
        steps='\n[[augment]]\nuse = "mix_in"\nviews = [0]\n\n[[augment]]\nuse = "random_flip"\nviews = [1]\n\n[encoder]'
    )
