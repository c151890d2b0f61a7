"""The training loop in whole runs: a loss that is not finite, precision, accumulation, compilation."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.data.order import Order
from coview.data.rng import Rng
from coview.model.topology import build_topology
from coview.train.length import Length
from coview_losses.nt_xent import NTXent


@pytest.fixture
def without_evaluators(small_recipe, write_recipe):
    return write_recipe(small_recipe.split("[[evaluate]]")[0])


@pytest.fixture
def train(call, without_evaluators, tmp_path):
    """Runs the small recipe, and gives what was said and the folder of the run."""

    def train(*sets, more=()):
        options = [word for text in sets for word in ("--set", text)]
        done = call("run", without_evaluators, *options, *more)
        return done, next(iter((tmp_path / "runs" / "small").glob("*")), None)

    return train


def weights(folder, step="last"):
    return load_file(folder / "checkpoints" / step / "weights.safetensors")


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# ---- a loss that is not finite -----------------------------------------------------------------------------------------


def spoil(monkeypatch, at, value=float("nan")):
    """Makes the loss of one step something that is no number."""
    forward, calls = NTXent.forward, []

    def spoilt(self, views):
        calls.append(None)
        return forward(self, views) * (value if len(calls) == at else 1.0)

    monkeypatch.setattr(NTXent, "forward", spoilt)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_it_stops_names_the_step_and_keeps_the_last_good_checkpoint(train, monkeypatch, value):
    with monkeypatch.context() as patch:
        spoil(patch, at=5, value=value)
        done, folder = train()
    assert (done.status, done.out) == (2, "")
    assert "the loss was not finite at step 5 (noticed after step 6); the last good checkpoint is step 3\n" in done.err
    assert "a lower learning rate" in done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best", "last", "step-3"]
    assert all(tensor.isfinite().all() for tensor in weights(folder).values())
    assert not (folder / "results.json").exists()
    done, _ = train(more=["--resume"])
    assert done.status == 0, done.err
    assert "goes on from step 3 of 6" in done.err
    assert train("name=untouched")[0].status == 0
    (untouched,) = (folder.parents[1] / "untouched").iterdir()
    expected = weights(untouched)
    assert all(tensor.equal(expected[key]) for key, tensor in weights(folder, "step-6").items())


def test_in_the_first_steps_there_is_no_checkpoint_to_name(train, monkeypatch):
    spoil(monkeypatch, at=1)
    done, folder = train()
    assert done.status == 2
    assert "not finite at step 1 (noticed after step 2); there is no checkpoint before it" in done.err
    assert not (folder / "checkpoints").exists()


def test_a_checkpoint_is_never_written_of_weights_that_saw_it(train, monkeypatch):
    """It is asked before each checkpoint too, however seldom metrics are logged."""
    spoil(monkeypatch, at=2)
    done, folder = train("train.log_every=100")
    assert "not finite at step 2 (noticed after step 3)" in done.err
    assert not (folder / "checkpoints").exists()


# ---- precision ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch):
    """The types that the stem computes in and that the loss is given."""
    types = {"stem": set(), "loss": set()}
    conv, forward = torch.nn.Conv2d.forward, NTXent.forward

    def watch_conv(self, x):
        out = conv(self, x)
        types["stem"].add(out.dtype)
        return out

    def watch_loss(self, views):
        types["loss"].add(views.student.dtype)
        return forward(self, views)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", watch_conv)
    monkeypatch.setattr(NTXent, "forward", watch_loss)
    return types


@pytest.mark.parametrize(
    ("precision", "has_bf16", "computes", "name"),
    [
        ("fp32", True, torch.float32, "fp32"),
        ("bf16", False, torch.bfloat16, "bf16"),
        ("auto", True, torch.bfloat16, "bf16"),
        ("auto", False, torch.float32, "fp32"),
    ],
)
def test_the_forward_pass_is_in_the_precision_that_is_asked_for(
    train, seen, monkeypatch, precision, has_bf16, computes, name
):
    monkeypatch.setattr("coview.train.device.cpu_has_bf16", lambda: has_bf16)
    done, folder = train(f"train.precision={precision}", "train.steps=2")
    assert done.status == 0, done.err
    assert seen == {"stem": {computes}, "loss": {torch.float32}}
    assert f"in {name}: " in done.err
    assert json.loads((folder / "environment.json").read_text())["precision"] == name
    kept = {tensor.dtype for key, tensor in weights(folder).items() if not key.endswith("num_batches_tracked")}
    assert kept == {torch.float32}
    assert all(row["loss"] > 0 for row in metrics(folder))


def test_bf16_learns_what_fp32_learns_roughly(train):
    losses = {}
    for precision in ("fp32", "bf16"):
        done, _ = train(f"train.precision={precision}", f"name={precision}")
        assert done.status == 0, done.err
        losses[precision] = [row["loss"] for row in metrics(coview.load_run(Path("runs") / precision).path)]
    assert losses["fp32"] != losses["bf16"]
    assert losses["fp32"] == pytest.approx(losses["bf16"], rel=0.05)


def test_fp16_is_refused_on_a_cpu(train, without_evaluators):
    done, folder = train("train.precision=fp16")
    assert (done.status, done.out) == (2, "")
    assert done.err == "error: --set: train.precision: fp16 is not supported on the CPU; take bf16 or fp32\n"
    assert folder is None


# ---- accumulation ------------------------------------------------------------------------------------------------------


def batches_by_hand(recipe, registry, count):
    """The views of the first batches and the ids of their samples, without a loader."""
    from coview.data.building import build_modalities, build_view_maker

    data = registry.build("dataset", "digits", supplied={"split": "train"})
    order = Order(len(data), recipe.train.batch_size, recipe.seed).epoch(0)
    maker, modality = build_view_maker(recipe, registry), build_modalities(recipe, registry)["image"]
    size = recipe.train.batch_size
    for number in range(count):
        samples = [data[int(row)] for row in order[number * size :][:size]]
        views = [maker(sample, 0, Rng()) for sample in samples]
        yield modality.collate([view[v] for v in (0, 1) for view in views]), torch.tensor([s.id for s in samples])


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_step_takes_the_gradient_of_the_mean_of_its_parts(train, without_evaluators, registry, accumulate):
    sets = ["train.steps=1", "train.batch_size=16", "optimizer.momentum=0.0", "optimizer.weight_decay=0.0", "optimizer.lr=0.5",
            "schedule.use=constant", "train.channels_last=false"]  # fmt: skip
    done, folder = train(*sets, f"train.accumulate={accumulate}")
    assert done.status == 0, done.err
    recipe = coview.load_recipe(without_evaluators, sets=sets, registry=registry)
    topology = build_topology(recipe, registry).train()
    tower = topology.student.towers["image"]
    losses = []
    for x_NCHW, ids in batches_by_hand(recipe, registry, accumulate):
        z_VND = tower.projector(tower.encoder(x_NCHW).pooled_ND).view(2, 16, -1)
        losses.append(NTXent()(coview.Views.of(z_VND, ids=ids)))
    torch.stack(losses).mean().backward()
    with torch.no_grad():
        for parameter in topology.student.parameters():
            if parameter.grad is not None:
                parameter -= 0.5 * parameter.grad
    found = weights(folder)
    for name, expected in topology.state_dict().items():
        assert torch.allclose(found[name].double(), expected.double(), rtol=1e-4, atol=1e-6), name
    (row,) = metrics(folder)
    assert row["loss"] == pytest.approx(float(losses[-1].detach()), rel=1e-5), "the last part's"


@pytest.mark.parametrize(
    ("sets", "total", "per_epoch", "batches"),
    [
        (["train.epochs=3", "train.batch_size=100"], 42, 14, 14),
        (["train.epochs=3", "train.batch_size=100", "train.accumulate=4"], 10, 3, 14),
        (["train.steps=5", "train.batch_size=1437", "train.accumulate=4"], 5, 1, 1),
    ],
)
def test_the_length_counts_optimiser_steps(without_evaluators, registry, sets, total, per_epoch, batches):
    recipe = coview.load_recipe(without_evaluators, sets=sets, registry=registry)
    assert Length.of(recipe, 1437) == Length(total, per_epoch, batches, recipe.train.accumulate)


# ---- compilation -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_compiled_model_learns_the_same_and_is_kept_as_any_other(train, tmp_path):
    for name, compiled in (("compiled", "true"), ("plain", "false")):
        # one step: on so small a network every further one makes a difference of rounding a hundred times as large
        one_step = ("train.steps=1", "schedule.warmup=0", "train.checkpoint_every=1")
        done, _ = train(f"train.compile={compiled}", f"name={name}", *one_step)
        assert done.status == 0, done.err
    runs = {name: coview.load_run(tmp_path / "runs" / name) for name in ("compiled", "plain")}
    found, expected = (weights(runs[name].path) for name in ("compiled", "plain"))
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.allclose(found[key].double(), tensor.double(), rtol=1e-4, atol=1e-5), key
    assert all(tensor.any() for key, tensor in expected.items() if key.endswith("bn1.bias")), "it has learnt"
    assert coview.embed(runs["compiled"]).isfinite().all()


@pytest.mark.slow
def test_a_script_that_is_stopped_ends_with_its_loader_processes(write_recipe, small_recipe, tmp_path):
    """The uncaught exception keeps the loop's frames alive, which must not keep workers that ignore SIGTERM."""
    recipe = write_recipe(small_recipe.replace("workers = 0", "workers = 2").replace("steps = 6", "steps = 100000"))
    code = f"import coview; coview.run(coview.load_recipe({str(recipe)!r}), {str(tmp_path / 'runs')!r}, quiet=True)"
    script = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while script.poll() is None and not any(path.stat().st_size for path in tmp_path.glob("runs/*/*/metrics.jsonl")):
        time.sleep(0.1)
    script.terminate()
    _, said = script.communicate(timeout=120)
    assert script.returncode == 1
    assert "stopped by SIGTERM after step" in said
