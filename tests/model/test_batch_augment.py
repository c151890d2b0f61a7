"""Steps that work on batches: rows as the formula says, state in the checkpoint, the same for any loading and ranks."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import nn

import coview
from coview.data.batch import Batch
from coview.data.batch_rng import BatchRng
from coview.data.building import BatchStep
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
        mixed = rows + self.seen[picks].mean(1, keepdim=True)
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


# ---- two ranks -----------------------------------------------------------------------------------------------------


def steps_of_two():
    return augment(BatchStep("a", 0, (0, 1, 2), AddNoise()), BatchStep("a", 1, (0, 1), MixIn()))


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

[[augment]]
use = "mix_in"

[encoder]"""


@pytest.fixture
def added(registry):
    found = coview.Registrar("test")
    home = f"{__name__}:"
    found.augmentation("both", home + "Both", modality="image", summary="either way")
    found.augmentation("mix_in", home + "MixIn", modality="image", summary="with state")
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
