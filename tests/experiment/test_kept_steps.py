"""Checkpoints that are kept by a curve, and any that is kept: found by its step, and measured beside the run's results."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
from test_curves import NeedsMuch, run_of, weighted_knn

import coview
from conftest import SMALL


@pytest.fixture
def with_more(registry):
    NeedsMuch.seen = []
    added = coview.Registrar("test")
    added.evaluator("much", f"{NeedsMuch.__module__}:NeedsMuch", summary="needs all splits")
    return registry.plus(added)


@pytest.mark.parametrize(("better", "best"), [("higher", 6), ("lower", 1)])
def test_the_best_is_kept_and_found(better, best, with_more, write_recipe, small_recipe, tmp_path):
    text = small_recipe.replace("checkpoint_every = 3", 'checkpoint_every = 3\nkeep = 1\nkeep_best = "much/calls"')
    text += f'\n[[evaluate]]\nuse = "much"\nevery = 1\nbetter = "{better}"\n'
    run = run_of(write_recipe(text), tmp_path / "runs", with_more)
    kept = {path.name for path in run.folder.checkpoints.glob("step-*")}
    assert {f"step-{best}", "step-6"} <= kept
    assert os.readlink(run.folder.checkpoints / "best") == f"step-{best}"
    assert coview.load_run(run.path, step="best", registry=with_more).checkpoint.step == best


@pytest.fixture(scope="module")
def made_once(registry, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept_steps")
    (folder / "recipe.toml").write_text(SMALL.replace("checkpoint_every = 3", "checkpoint_every = 2"))
    return run_of(folder / "recipe.toml", folder / "runs", registry)


@pytest.fixture
def run_with_steps(made_once, tmp_path):
    """A copy of a run that keeps the checkpoints of its steps 4 and 6."""
    path = tmp_path / "runs" / "small" / made_once.path.name
    shutil.copytree(made_once.path, path, symlinks=True)
    return coview.load_run(path, registry=made_once.registry)


def test_a_kept_step_is_measured_beside_the_runs_results(run_with_steps, call):
    run = run_with_steps
    before = {name: (run.path / name).read_bytes() for name in ("results.json", "report.html")}
    items = {path.name: path.read_bytes() for path in (run.path / "items").iterdir()}
    done = call("evaluate", run.path, "--step", 4)
    assert done.status == 0, done.err
    assert f"{run.path}/results-step-4.json" in done.out
    assert "--step 4 --set evaluate.0.k=5" in done.out
    assert {name: (run.path / name).read_bytes() for name in before} == before
    assert {path.name: path.read_bytes() for path in (run.path / "items").iterdir()} == items
    found = json.loads((run.path / "results-step-4.json").read_text())
    assert found["checkpoint"] == "step-4"
    assert {row["kind"] for row in found["results"]} == {"pretrained", "untrained", "raw"}
    of_step = coview.load_run(run.path, step=4)
    x = {split: coview.embed(of_step, split=split).numpy() for split in ("train", "test")}
    assert not np.allclose(x["test"], coview.embed(run, split="test").numpy())
    labels = {
        split: np.asarray(run.registry.build("dataset", "digits", supplied={"split": split}).labels) for split in x
    }
    predicted = weighted_knn(x["train"], labels["train"], x["test"], 5)
    (value,) = (row["value"] for row in found["results"] if row["kind"] == "pretrained")
    assert value == pytest.approx((predicted == labels["test"]).mean(), abs=1 / 360)
    assert call("embed", run.path, "--step", 4, "--out", "x.npz").status == 0
    assert np.allclose(np.load("x.npz")["x"], x["test"])
    exported = call("export", run.path, "--to", "hf", "--step", 4)
    assert exported.status == 0, exported.err
    assert (run.path / "export" / "hf-step-4" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("3", "the checkpoint of step 3 is not kept in .*\n  kept are the steps 4, 6"),
        ("best", "there is no best checkpoint in .*: the recipe has no train.keep_best\n  kept are"),
        ("many", "has to be a number of steps or \"best\", got 'many'"),
        ("-1", "has to be a number of steps"),
    ],
)
def test_a_step_that_is_not_kept_is_refused_with_those_that_are(run_with_steps, call, step, says):
    done = call("evaluate", run_with_steps.path, f"--step={step}")
    assert done.status == 2
    assert re.search(says, done.err), done.err
    assert not list(run_with_steps.path.glob("results-*"))


def test_a_damaged_step_is_said(run_with_steps, call):
    (run_with_steps.folder.checkpoints / "step-4" / "weights.safetensors").write_bytes(b"")
    done = call("evaluate", run_with_steps.path, "--step", 4)
    assert done.status == 2
    assert "step-4 is damaged: weights.safetensors has 0 bytes of" in done.err


def test_a_run_that_keeps_its_best_is_evaluated_by_another_protocol(registry, write_recipe, small_recipe, tmp_path):
    text = small_recipe.replace("checkpoint_every = 3", 'checkpoint_every = 3\nkeep_best = "knn/accuracy"')
    run = run_of(write_recipe(text.replace('use = "knn"', 'use = "knn"\nevery = 3')), tmp_path / "runs", registry)
    again = coview.evaluate_run(run, overrides={"evaluate": [{"use": "clustering"}]}, quiet=True)
    assert {result.evaluator for result in again.results} == {"knn", "clustering"}
