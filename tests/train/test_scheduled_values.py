"""Scheduled values: functions of the step, of masks of the epoch; what cannot be scheduled is refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.builtin.schedules import Cosine, Linear
from coview.recipe.recipe import ScheduledTable
from coview.train.length import Length
from coview.train.scheduled_values import ScheduledValue

MASKED = """\
schema = 1
name = "masked"
seed = 3

[data]
use = "digits"
workers = 0
views = 1

[encoder]
use = "vit"
image_size = 8
patch = 2
width = 8
layers = 2
heads = 2
channels = 3

[mask]
use = "random"
ratio = 0.25
hide = "drop"

[decoder]
use = "transformer"
layers = 1
hidden = 16
heads = 2

[target]
use = "teacher_tokens"
layers = 2

[teacher]
momentum = 0.9

[loss]
use = "token_smooth_l1"

[optimizer]
use = "sgd"
lr = 0.05
weight_decay = 0.01

[train]
steps = 6
batch_size = 64
precision = "fp32"
device = "cpu"
log_every = 1
checkpoint_every = 2

[schedule."mask.ratio"]
use = "linear"
end = 0.75
over = 4

[schedule."loss.beta"]
use = "linear"
end = 0.1

[schedule."teacher.momentum"]
end = 0.99

[schedule."optimizer.weight_decay"]
use = "linear"
end = 0.5
over = 2
"""
PLAIN = MASKED.split('[schedule."mask.ratio"]')[0]


@pytest.fixture
def train(call, write_recipe, tmp_path):
    """Trains, and gives the run's folder."""

    def train(text, name, *sets, more=()):
        options = [word for each in sets for word in ("--set", each)]
        done = call("run", write_recipe(text), "--out", name, *options, *more)
        assert done.status == 0, done.err
        (run,) = (tmp_path / name).glob("*/*")
        return run

    return train


def weights(run, step=6):
    return load_file(run / f"checkpoints/step-{step}/weights.safetensors")


@pytest.fixture(scope="module")
def without(registry, tmp_path_factory):
    """The weights after two steps at the values of the tables."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "recipe.toml").write_text(PLAIN)
    recipe = coview.load_recipe(folder / "recipe.toml", overrides={"train.steps": 2}, registry=registry)
    return weights(coview.run(recipe, folder, registry=registry, quiet=True).path, 2)


def logged(run, key):
    return [json.loads(line)[key] for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        assert tensor.equal(other[key]), key


def value(schedule, start, end, steps, total=100):
    table = ScheduledTable("any", key="loss.temperature", start=start, end=end)
    return ScheduledValue(table, schedule, steps, Length(total, 10, 10))


def test_a_line_is_linspace_and_stays_at_its_end():
    line = value(Linear(), 0.04, 0.07, 30)
    expected = torch.linspace(0.04, 0.07, 31, dtype=torch.float64)
    assert [line(step) for step in range(30)] == pytest.approx(expected[:30].tolist(), abs=1e-12)
    assert [line(step) for step in (30, 31, 99)] == [0.07] * 3


def test_a_cosine_is_pytorchs():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=0.05)
    cosine = value(Cosine(), 0.2, 0.05, 100)
    for step in range(100):
        assert cosine(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        peer.step()


def test_of_an_epoch_it_is_the_value_at_its_first_step():
    line = value(Linear(), 0.0, 1.0, 100)
    assert [line.of_epoch(epoch, accumulate=1) for epoch in range(3)] == [line(0), line(10), line(20)]
    assert [line.of_epoch(epoch, accumulate=2) for epoch in range(3)] == [line(0), line(5), line(10)]


def test_values_are_logged_and_a_resume_workers_and_the_gradient_cache_change_nothing(train, tmp_path):
    run = train(MASKED, "a", "train.batch_size=400")  # an epoch has three batches
    assert logged(run, "schedule/loss.beta") == pytest.approx([1 - 0.9 * step / 6 for step in range(6)])
    assert logged(run, "schedule/optimizer.weight_decay") == pytest.approx([0.01, 0.255, 0.5, 0.5, 0.5, 0.5])
    assert logged(run, "schedule/mask.ratio") == pytest.approx([0.25] * 3 + [0.625] * 3)
    assert logged(run, "schedule/teacher.momentum") == logged(run, "teacher_momentum")
    shutil.copytree(tmp_path / "a", tmp_path / "b", symlinks=True)
    (cut,) = (tmp_path / "b").glob("*/*")
    shutil.rmtree(cut / "checkpoints/step-6")
    environment = json.loads((cut / "environment.json").read_text())
    (cut / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    assert_equal(weights(run), weights(train(MASKED, "b", "train.batch_size=400", more=["--resume"])))
    assert_equal(weights(run), weights(train(MASKED, "c", "train.batch_size=400", "data.workers=2")))
    cached = weights(train(MASKED, "d", "train.batch_size=400", "train.grad_cache=150"))
    for key, tensor in weights(run).items():
        assert torch.allclose(cached[key].double(), tensor.double(), rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize(
    ("key", "end", "table"),
    [
        ("mask.ratio", 0.75, ""),
        ("mask.probability", 0.5, ""),
        ("loss.beta", 0.1, ""),
        ("loss.weight", 3.0, ""),
        ("optimizer.weight_decay", 0.5, ""),
        ("optimizer.momentum", 0.5, ""),
        ("teacher.momentum", 0.5, "teacher.end_momentum=0.5"),
    ],
)
def test_a_value_that_comes_to_its_end_at_once_is_that_value(train, without, key, end, table):
    scheduled = train(PLAIN, "a", f'schedule."{key}".end={end}', f'schedule."{key}".over=0', "train.steps=2")
    given = train(PLAIN, "b", f"{key}={end}", *filter(None, [table]), "train.steps=2")
    assert_equal(weights(scheduled, 2), weights(given, 2))
    assert any(not tensor.equal(without[name]) for name, tensor in weights(scheduled, 2).items())


def test_a_group_that_says_otherwise_keeps_its_own(write_recipe, registry):
    from coview.data.building import build_split
    from coview.model.topology import build_topology
    from coview.train.accelerator import make_accelerator
    from coview.train.pretrain import Pretraining

    text = MASKED + '\n[[optimizer.group]]\nmatch = "decoder.*"\nweight_decay = 0.125\n'
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    dataset = build_split(recipe, "train", registry)
    topology = build_topology(recipe, registry, dataset)
    training = Pretraining(recipe, registry, dataset, topology, make_accelerator(torch.device("cpu"), "fp32"))
    training._values.set(1)
    decays = {group["weight_decay"] for group in training.optimizer.param_groups}
    assert decays == {0.0, 0.125, 0.255}


def test_the_hash_is_another_and_a_resolved_recipe_is_the_same(write_recipe, registry):
    recipe = coview.load_recipe(write_recipe(MASKED), registry=registry)
    plain = coview.load_recipe(write_recipe(MASKED.split("[schedule.")[0], "plain.toml"), registry=registry)
    assert recipe.hash != plain.hash
    from coview.recipe.snapshot import to_toml

    again = coview.load_recipe(write_recipe(to_toml(recipe.tables), "again.toml"), registry=registry)
    assert (again.hash, again.tables) == (recipe.hash, recipe.tables)
    assert "end_momentum" not in recipe.tables["teacher"]
    assert plain.tables["teacher"]["end_momentum"] == 1.0


def test_a_child_keeps_a_parents_schedules_of_values(write_recipe, registry):
    write_recipe(MASKED, "parent.toml")
    child = (
        'schema = 1\nextends = "parent.toml"\n[schedule]\nuse = "constant"\n[schedule."mask.ratio"]\nuse = "cosine"\n'
    )
    recipe = coview.load_recipe(write_recipe(child, "child.toml"), registry=registry)
    by_key = {table.key: table for table in recipe.scheduled}
    assert set(by_key) == {"mask.ratio", "loss.beta", "teacher.momentum", "optimizer.weight_decay"}
    assert (by_key["mask.ratio"].use, by_key["mask.ratio"].end, by_key["mask.ratio"].over) == ("cosine", 0.75, 4)
    assert recipe.schedule.use == "constant"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"mask.ratio"', '"mask.ration"', ': schedule.mask.ration: there is no such value, did you mean "mask.ratio"?'),
        ('"mask.ratio"', '"mask.side"', ': schedule.mask.side: "random" does not say that it reads side anew'),
        ('"mask.ratio"', '"mask.hide"', ": schedule.mask.hide: there is no such value"),
        ('"mask.ratio"', '"encoder.width"', ": schedule.encoder.width: values of [encoder] cannot be scheduled"),
        ('"mask.ratio"', '"optimizer.lr"', ": schedule.optimizer.lr: the learning rate is scheduled by [schedule]"),
        ('"mask.ratio"', '"optimizer.nesterov"', ": schedule.optimizer.nesterov: nesterov is not a single number"),
        ('"mask.ratio"', '"loss.over"', ": schedule.loss.over: over is not a single number"),
        ('"mask.ratio"', "mask.ratio", 'schedule.mask: write the whole key in quotes: [schedule."mask.ratio"]'),
        ('"mask.ratio"', '"loss.0.beta"', ": schedule.loss.0.beta: there is no such value"),
        ("end = 0.75\n", "", ": schedule.mask.ratio.end: is missing"),
        ("end = 0.75", "end = 1.5", ": schedule.mask.ratio.end: has to be"),
        ("end = 0.75", "end = true", ": schedule.mask.ratio.end: has to be"),
        ("end = 0.75", "start = 0.5\nend = 0.75", ": schedule.mask.ratio.start: is what mask.ratio is in its own table"),
        ("over = 4", "over = 7", ": schedule.mask.ratio.over: 7 are 7 steps, more than the 6 of the run"),
        ("over = 4", 'over = "1 epoch"', ": schedule.mask.ratio.over: 1 epoch are 22 steps, more than the 6 of the run"),
        ("over = 4", "ower = 4", ": schedule.mask.ratio.ower: unknown key, did you mean"),
        ("end = 0.99", "end = 1.1", ": schedule.teacher.momentum.end: has to be"),
        ("ratio = 0.25", "ratio = [0.1, 0.4]", ": schedule.mask.ratio: ratio is not a single number"),
        ("momentum = 0.9\n", "momentum = 0.9\nend_momentum = 1.0\n", ": teacher.end_momentum: has no effect beside"),
    ],
)  # fmt: skip
def test_what_cannot_be_scheduled_is_refused_in_one_line(write_recipe, call, tmp_path, before, after, said):
    assert before in MASKED
    text = MASKED.replace(before, after, 1)
    done = call("run", write_recipe(text))
    assert done.status == 2
    (line, *rest) = done.err.splitlines()
    assert said in line, done.err
    assert "recipe.toml:" in line
    assert not [more for more in rest if not more.startswith("  ")]
    assert not (tmp_path / "runs").exists()


def test_an_optimiser_without_a_value_for_each_step_is_refused(write_recipe, registry, call):
    """LARS keeps what it is made with for each group, others need not."""
    from coview.train import scheduled_values

    text = MASKED.replace('use = "sgd"', 'use = "lars"')
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    topology = type("Of", (), {"masking": None})()
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))]}], lr=0.1)
    for group in optimizer.param_groups:
        group["weight_decay"] = None
    with pytest.raises(coview.CoviewError, match=r"schedule\.optimizer\.weight_decay: lars does not keep weight_decay"):
        scheduled_values.ScheduledValues(recipe, registry, topology, optimizer, (), Length(6, 22, 22))
