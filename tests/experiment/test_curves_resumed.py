"""Curves of runs that are killed, refused or shared by ranks: each point once, and the weights of a run without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from test_curves import curve, run_of, training_lines

import coview
from conftest import SMALL

pytestmark = pytest.mark.slow

STEPS = 30
EVERY = 4
EXPECTED = [0, 4, 8, 12, 16, 20, 24, 28, 30]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    text = SMALL.replace("steps = 6", f"steps = {STEPS}").replace('use = "knn"', f'use = "knn"\nevery = {EVERY}')
    text = text.replace("checkpoint_every = 3", 'checkpoint_every = 3\nkeep = 3\nkeep_best = "knn/accuracy"')
    path = tmp_path_factory.mktemp("curves") / "recipe.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def untouched(recipe, registry):
    return run_of(recipe, recipe.parent / "untouched", registry)


def weights(run, step):
    return load_file(run.folder.checkpoints / f"step-{step}" / "weights.safetensors")


def assert_same_end(run, other):
    a, b = weights(run, STEPS), weights(other, STEPS)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert curve(run, "knn/accuracy") == curve(other, "knn/accuracy")
    assert [step for step, _ in curve(run, "knn/accuracy")] == EXPECTED
    assert training_lines(run) == training_lines(other)
    assert os.readlink(run.folder.checkpoints / "best") == os.readlink(other.folder.checkpoints / "best")
    steps = [sorted(path.name for path in it.folder.checkpoints.glob("step-*")) for it in (run, other)]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("after_line", [1, 4, 12, 18])
def test_a_run_that_is_killed_has_each_point_once(after_line, recipe, untouched, registry, tmp_path):
    """Before its first checkpoint, too: then it begins anew, and so does its curve."""
    command = [sys.executable, "-m", "coview", "run", str(recipe), "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        lines = [line for path in tmp_path.glob("killed/*/*/metrics.jsonl") for line in path.read_text().splitlines()]
        if len(lines) >= after_line:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.communicate()[1].decode()
    valid = coview.load_recipe(recipe, registry=registry)
    assert_same_end(untouched, coview.run(valid, tmp_path / "killed", resume=True, registry=registry, quiet=True))


HOOK = """
import coview

@coview.hookimpl
def coview_curve_point(context):
    if context.step == {step}:
        raise coview.CoviewError("seen enough")
"""


@pytest.mark.parametrize("step", [8, STEPS])
def test_a_hook_that_refuses_leaves_a_checkpoint_and_each_point_once(step, recipe, untouched, registry, tmp_path):
    site = tmp_path / "site"
    (site / "hooked-1.0.dist-info").mkdir(parents=True)
    (site / "hooked-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: hooked\nVersion: 1.0\n")
    (site / "hooked-1.0.dist-info" / "entry_points.txt").write_text("[coview]\nhooked = hooked_plugin\n")
    (site / "hooked_plugin.py").write_text(HOOK.format(step=step))
    command = [sys.executable, "-m", "coview", "run", str(recipe), "--out", str(tmp_path / "refused")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(site)}
    )
    assert done.returncode == 2
    assert 'the hook coview_curve_point of plugin "hooked": seen enough; a checkpoint of step' in done.stderr
    assert len(list(tmp_path.glob(f"refused/*/*/checkpoints/step-{step}"))) == 1
    valid = coview.load_recipe(recipe, registry=registry)
    run = coview.run(valid, tmp_path / "refused", resume=True, registry=registry, quiet=True)
    a, b = weights(untouched, STEPS), weights(run, STEPS)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert curve(run, "knn/accuracy") == curve(untouched, "knn/accuracy")
    assert os.readlink(run.folder.checkpoints / "best") == os.readlink(untouched.folder.checkpoints / "best")


def test_a_curve_that_a_run_which_goes_on_has_not_is_refused(untouched, registry, tmp_path, recipe):
    valid = coview.load_recipe(recipe, registry=registry, sets=["train.steps=6"])
    out = tmp_path / "runs"
    path = coview.run(valid, out, registry=registry, quiet=True).path
    environment = json.loads((path / "environment.json").read_text())
    (path / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    other = coview.load_recipe(recipe, registry=registry, sets=["train.steps=6", "train.keep_best=knn/accuracys"])
    with pytest.raises(coview.CoviewError, match='no curve is called "knn/accuracys", did you mean "knn/accuracy"'):
        coview.run(other, out, resume=True, registry=registry, quiet=True)
    assert (path / "checkpoints" / "step-6").is_dir()


def test_of_two_ranks_the_first_measures_and_both_end_as_without_curves(recipe, tmp_path, registry):
    def train(out, *more):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        command = [sys.executable, *launcher, "-m", "coview", "run", str(recipe), "--out", str(out), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stderr
        (path,) = out.glob("small/*")
        return coview.load_run(path, registry=registry), done.stderr

    with_curves, said = train(tmp_path / "with")
    text = recipe.read_text().replace(f"every = {EVERY}\n", "").replace('keep_best = "knn/accuracy"\n', "")
    recipe = tmp_path / "plain.toml"
    recipe.write_text(text)
    without, _ = train(tmp_path / "without")
    a, b = weights(with_curves, STEPS), weights(without, STEPS)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert [step for step, _ in curve(with_curves, "knn/accuracy")] == EXPECTED
    assert said.count("step 12, validation: knn/accuracy") == 1
    best = min(curve(with_curves, "knn/accuracy")[1:], key=lambda point: (-point[1], point[0]))[0]
    assert os.readlink(with_curves.folder.checkpoints / "best") == f"step-{best}"
