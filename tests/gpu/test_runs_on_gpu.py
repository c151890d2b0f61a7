"""Whole runs on the device: pictures, texts and sounds; the CPU's losses, resumption, half precision, evaluation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.train.pretrain import Pretraining

pytestmark = pytest.mark.gpu

TRAINING = """
[projector]
hidden = 32
width = 16

[optimizer]
use = "{optimizer}"
lr = {lr}

[train]
steps = 12
batch_size = {batch}
precision = "fp32"
device = "cuda"
log_every = 1
checkpoint_every = 6
"""

PICTURES = """\
schema = 1
name = "pictures"
seed = 3

[data]
use = "digits"
workers = 0

[[augment]]
use = "random_resized_crop"
size = 8

[[augment]]
use = "color_jitter"

[[augment]]
use = "gaussian_blur"

[encoder]
use = "resnet18"
stem = "small"
width = 16

[loss]
use = "nt_xent"
"""
PICTURES += TRAINING.format(batch=64, optimizer="sgd", lr=0.05)

TEXTS = """\
schema = 1
name = "texts"
seed = 2

[data]
use = "text_table"
path = "{folder}/texts.csv"
label = "kind"
workers = 0

[[augment]]
use = "random_swap"

[[augment]]
use = "token_cutoff"

[encoder]
use = "text_transformer"
vocabulary = 400
width = 32
layers = 1
heads = 2
max_length = 24
dropout = 0.0

[loss]
use = "info_nce"
"""
TEXTS += TRAINING.format(batch=16, optimizer="adamw", lr=2e-3)

SOUNDS = """\
schema = 1
name = "sounds"
seed = 2

[data]
use = "audio_folder"
root = "{folder}/sounds"
workers = 0

[[augment]]
use = "add_noise"

[[augment]]
use = "log_mel"

[[augment]]
use = "random_resize_crop"

[[augment]]
use = "mixup"
memory = 64

[encoder]
use = "audio_cnn"
width = 64
dropout = 0.0

[loss]
use = "nt_xent"
"""
SOUNDS += TRAINING.format(batch=16, optimizer="adamw", lr=1e-3)

EVERY_EVALUATOR = """
[[evaluate]]
use = "knn"
k = 5

[[evaluate]]
use = "linear_probe"

[[evaluate]]
use = "mlp_probe"

[[evaluate]]
use = "few_shot"
"""

MOCO = """
[teacher]
momentum = 0.9
shuffle_groups = 2

[queue]
size = 100
"""


@pytest.fixture
def sounds(tmp_path):
    """Folders of sounds of two pitches."""
    import soundfile

    draw = np.random.default_rng(0)
    for row in range(60):
        for split in ("train", "test"):
            pitch = (300, 900)[row % 2] * draw.uniform(0.9, 1.1)
            sound = 0.3 * np.sin(2 * np.pi * pitch * np.arange(8000) / 16000) + 0.02 * draw.standard_normal(8000)
            path = tmp_path / "sounds" / split / ("low", "high")[row % 2] / f"{row}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, 16000)


@pytest.fixture
def run(write_recipe, tmp_path, two_topics, sounds, gpu):
    """Runs a recipe with some values set."""

    def run(text, *, more="", name="run", **sets):
        path = write_recipe(text.replace("{folder}", str(tmp_path)) + more)
        overrides = {key.replace("__", "."): value for key, value in sets.items()}
        return coview.run(
            coview.load_recipe(path, overrides={"name": name, **overrides}), tmp_path / "runs", quiet=True
        )

    return run


def losses(run):
    return [json.loads(line)["loss"] for line in run.folder.metrics.read_text().splitlines()]


def weights(run):
    return load_file(run.folder.checkpoints / "last" / "weights.safetensors")


@pytest.mark.parametrize("text", [PICTURES, TEXTS, SOUNDS], ids=["pictures", "texts", "sounds"])
def test_its_losses_are_those_of_the_cpu(text, run):
    found, expected = run(text, name="gpu"), run(text, name="cpu", train__device="cpu")
    assert losses(found)[0] == pytest.approx(losses(expected)[0], rel=2e-3)  # cuDNN's convolutions are in tf32
    assert losses(found) == pytest.approx(losses(expected), rel=0.3)
    assert "(cuda)" in json.loads(found.folder.environment.read_text())["device"]


@pytest.mark.parametrize("precision", ["bf16", "fp16", "auto"])
@pytest.mark.parametrize("text", [PICTURES, TEXTS, SOUNDS], ids=["pictures", "texts", "sounds"])
def test_half_precision_trains(text, precision, run):
    found, full = run(text, name="half", train__precision=precision), run(text, name="full", train__steps=1)
    assert losses(found)[0] == pytest.approx(losses(full)[0], rel=0.02)
    assert np.isfinite(losses(found)).all()
    assert all(tensor.isfinite().all() for tensor in weights(found).values())
    assert json.loads(found.folder.environment.read_text())["precision"] == precision.replace("auto", "bf16")


@pytest.mark.parametrize("where", ["worker", "device"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_run_that_goes_on_ends_as_one_that_was_not_stopped(where, precision, run, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    sets = {"data__augment_on": where, "train__precision": precision}
    whole, another = (run(PICTURES, more=MOCO, name=name, **sets) for name in ("run", "another"))
    expected = weights(whole)
    environment = json.loads(whole.folder.environment.read_text())
    whole.folder.environment.write_text(json.dumps({**environment, "finished": None}))
    last = whole.folder.checkpoints / "step-12"
    last.rename(last.with_name("taken-away"))
    overrides = {"name": "run", **{key.replace("__", "."): value for key, value in sets.items()}}
    recipe = coview.load_recipe(tmp_path / "recipe.toml", overrides=overrides)
    resumed = coview.run(recipe, tmp_path / "runs", resume=True, quiet=True)
    spread = furthest(weights(another), expected)  # sums on a GPU may be in another order each time
    assert furthest(weights(resumed), expected) <= 10 * spread


def furthest(some, others):
    return max(float((some[key].double() - tensor.double()).abs().max()) for key, tensor in others.items())


def test_augmenting_on_the_device_trains_as_in_the_workers(run):
    there, here = (run(PICTURES, name=where, data__augment_on=where) for where in ("device", "worker"))
    assert losses(there)[0] == pytest.approx(losses(here)[0], rel=0.05)  # draws differ, their distribution does not
    assert losses(there)[-1] == pytest.approx(losses(here)[-1], rel=0.3)


def test_parts_of_a_batch_train_as_the_whole(run):
    sets = {"projector__batch_norm": False}  # whose statistics would be of a part
    found, whole = run(TEXTS, name="parts", train__grad_cache=4, **sets), run(TEXTS, name="whole", **sets)
    assert losses(found) == pytest.approx(losses(whole), rel=1e-3)


def test_parts_that_fit_train_as_the_whole(run, monkeypatch):
    sets = {"projector__batch_norm": False}
    whole = run(TEXTS, name="whole", **sets)
    fitting = run(TEXTS, name="fitting", train__grad_cache="auto", **sets)
    assert part_of(fitting) == 16  # a small model on any card
    assert losses(fitting) == pytest.approx(losses(whole), rel=1e-3)
    monkeypatch.setattr("coview.train.part_size._SHARE", 1e-9)  # hardly any memory is free
    in_parts = run(TEXTS, name="parts", train__grad_cache="auto", **sets)
    assert part_of(in_parts) == 4
    assert losses(in_parts) == pytest.approx(losses(whole), rel=1e-3)


def part_of(run):
    return torch.load(run.folder.checkpoints / "last" / "state.pt", weights_only=True)["grad_cache"]


def test_compiled_it_trains_the_same(run):
    found, plain = run(PICTURES, name="compiled", train__compile=True), run(PICTURES, name="plain")
    assert losses(found)[0] == pytest.approx(losses(plain)[0], rel=2e-3)
    assert losses(found) == pytest.approx(losses(plain), rel=0.3)


def test_evaluations_are_those_of_the_cpu(run, call):
    found = run(PICTURES, more=EVERY_EVALUATOR)
    done = call("evaluate", found.path, "--set", "train.device=cpu", "--json")
    assert done.status == 0, done.err
    here = json.loads(done.out)
    there = json.loads(found.folder.results.read_text())["results"]
    assert len(here) == len(there) > 8
    for one, other in zip(here, there, strict=True):
        assert (one["evaluator"], one["metric"], one["kind"]) == (
            other["evaluator"],
            other["metric"],
            other["kind"],
        )
        assert one["value"] == pytest.approx(other["value"], abs=0.03), one


def test_embeddings_are_those_of_the_cpu(run, call, tmp_path):
    found = run(PICTURES)
    for device in ("cuda", "cpu"):
        out = tmp_path / f"{device}.safetensors"
        done = call("embed", found.path, "test", "--out", out, "--set", f"train.device={device}")
        assert done.status == 0, done.err
    there, here = (load_file(tmp_path / f"{device}.safetensors")["x_ND"] for device in ("cuda", "cpu"))
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("text", "where"),
    [(PICTURES, "worker"), (PICTURES, "device"), (TEXTS, "worker"), (SOUNDS, "worker")],
    ids=["pictures", "pictures on the device", "texts", "sounds"],
)
def test_between_two_logged_steps_it_waits_for_nothing(text, where, run, monkeypatch, no_waiting):
    steps = []

    def watched(self, checkpoints, stop, observer, *more):
        def step(step, epoch, metrics):
            steps.append(step)
            if step in (6, 10):  # earlier ones bring constants over
                no_waiting(step == 6)
            observer.step(step, epoch, metrics)

        return original(self, checkpoints, stop, replace(observer, step=step), *more)

    original = Pretraining.run
    monkeypatch.setattr(Pretraining, "run", watched)
    run(text, train__log_every=100, train__checkpoint_every=100, data__augment_on=where)
    assert steps == list(range(1, 13))
