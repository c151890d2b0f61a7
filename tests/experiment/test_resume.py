"""Promise 2: a run killed at any moment resumes, and ends with the weights of one that was not.

What is killed, interrupted or denied its disk is a process of its own; what goes on afterwards is called in this one.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from conftest import SMALL

pytestmark = pytest.mark.slow

STEPS = 40


MASKED = """
[mask]
use = "random"
ratio = [0.3, 0.6]
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
use = "token_mse"

[optimizer]"""
"""In place of the contrastive recipe's projector and loss; its encoder is a small vision transformer."""


@pytest.fixture(scope="module", params=["contrastive"])
def recipe(tmp_path_factory, request):
    text = SMALL.split("[[evaluate]]")[0]
    if request.param == "masked":
        before, _, after = text.partition("[encoder]")
        _, _, after = after.partition("[optimizer]")
        before = before.replace("workers = 0", "workers = 0\nviews = 1")
        vit = 'use = "vit"\nimage_size = 8\npatch = 2\nwidth = 8\nlayers = 2\nheads = 2\nchannels = 3\n'
        text = f"{before}[encoder]\n{vit}{MASKED}{after}"
    for before, after in (
        ('name = "small"', 'name = "run"'),
        ("workers = 0", "workers = 2"),
        ("steps = 6", f"steps = {STEPS}"),
        ("checkpoint_every = 3", "checkpoint_every = 2"),
    ):
        assert before in text
        text = text.replace(before, after)
    path = tmp_path_factory.mktemp("resume") / "recipe.toml"
    path.write_text(text)
    return path


def command(recipe, out, *more):
    return [sys.executable, "-m", "coview", "run", str(recipe), "--out", str(out), *more]


def start(recipe, out, *more):
    return subprocess.Popen(
        command(recipe, out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def only_run(out: Path) -> Path:
    (run,) = (out / "run").iterdir()
    return run


def last_step(out: Path) -> int:
    steps = [int(path.name.split("-")[1]) for path in out.glob("run/*/checkpoints/step-*")]
    return max(steps, default=0)


def wait_for_step(out: Path, process, step: int) -> None:
    until = time.monotonic() + 120
    while last_step(out) < step and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()


def assert_same_end(one: Path, other: Path) -> None:
    name = f"checkpoints/step-{STEPS}/weights.safetensors"
    a, b = load_file(one / name), load_file(other / name)
    assert a.keys() == b.keys()
    for key in a:
        assert a[key].equal(b[key]), key
    drop = {"time", "samples_per_s"}
    lines = [
        [{k: v for k, v in json.loads(line).items() if k not in drop} for line in (run / "metrics.jsonl").open()]
        for run in (one, other)
    ]
    assert lines[0] == lines[1]


@pytest.fixture(scope="module")
def untouched(recipe):
    """The run to compare with; nothing writes into it."""
    out = recipe.parent / "untouched"
    done = subprocess.run(command(recipe, out), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return only_run(out)


@pytest.fixture
def unfinished(untouched, tmp_path):
    """A copy of it as it was before its last checkpoint."""
    out = tmp_path / "unfinished"
    shutil.copytree(untouched.parent.parent, out, symlinks=True)
    run = only_run(out)
    shutil.rmtree(run / f"checkpoints/step-{STEPS}")
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    return run


@pytest.fixture
def go_on(call, recipe):
    """Resumes a run in this process."""

    def go_on(out, *more):
        return call("run", recipe, "--out", out, "--resume", *more)

    return go_on


@pytest.mark.parametrize("recipe", ["contrastive", "masked"], indirect=True)
def test_sigkill_at_random_moments(recipe, tmp_path, untouched, go_on):
    chance = random.Random(os.environ.get("COVIEW_TEST_SEED", "0"))
    out, reached = tmp_path / "killed", [0]
    for _ in range(2):
        process = start(recipe, out, *(["--resume"] if reached[-1] else []))
        wait_for_step(out, process, reached[-1] + 2)
        time.sleep(chance.random() * 0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        reached.append(last_step(out))
    assert 0 < reached[1] < reached[2] < STEPS, "each kill was in mid-run, and the resume got further"
    done = go_on(out)
    assert done.status == 0, done.err
    assert_same_end(untouched, only_run(out))


@pytest.mark.parametrize("recipe", ["contrastive", "masked"], indirect=True)
def test_no_loader_process_or_two_end_with_the_same_weights(recipe, untouched, tmp_path):
    out = tmp_path / "alone"
    done = subprocess.run(
        command(recipe, out, "--set", "data.workers=0"), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert_same_end(untouched, only_run(out))


@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)])
def test_a_signal_ends_with_a_checkpoint_and_status_130(recipe, tmp_path, untouched, go_on, number, group):
    out = tmp_path / "stopped"
    process = start(recipe, out)
    wait_for_step(out, process, 2)
    (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    stopped_at = last_step(out)
    assert 2 <= stopped_at < STEPS
    done = go_on(out)
    assert done.status == 0, done.err
    assert f"from step {stopped_at} " in done.err
    assert_same_end(untouched, only_run(out))


def test_a_truncated_checkpoint_falls_back_to_the_one_before(unfinished, untouched, go_on):
    whole = untouched / f"checkpoints/step-{STEPS}"
    damaged = unfinished / f"checkpoints/step-{STEPS}"
    shutil.copytree(whole, damaged)
    (damaged / "weights.safetensors").write_bytes((whole / "weights.safetensors").read_bytes()[:1000])
    done = go_on(unfinished.parent.parent)
    assert done.status == 0, done.err
    assert "damaged checkpoint is skipped" in done.err
    assert f"from step {STEPS - 2} " in done.err
    assert_same_end(untouched, unfinished)


def test_a_finished_run_has_nothing_left_and_a_changed_recipe_is_shown_as_a_difference(untouched, go_on):
    out = untouched.parent.parent
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    done = go_on(out)
    assert done.status == 0
    assert "nothing is left to do" in done.err
    changed = go_on(out, "--set", "loss.temperature=0.3")
    assert changed.status == 2
    assert "loss.temperature: 0.5 → 0.3" in changed.err
    assert "Traceback" not in changed.err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize(
    ("kilobytes", "said"), [(200, "make room"), (8, "of shared memory for a batch")], ids=["disk", "shared memory"]
)
def test_a_full_disk_is_one_message_and_resumes(recipe, unfinished, untouched, go_on, kilobytes, said):
    out = unfinished.parent.parent
    limit = f"ulimit -f {kilobytes}; trap '' XFSZ; exec {' '.join(command(recipe, out, '--resume'))}"
    full = subprocess.run(["bash", "-c", limit], capture_output=True, text=True, check=False, timeout=300)
    assert full.returncode == 2, full.stderr
    assert "Traceback" not in full.stderr
    assert said in full.stderr
    assert last_step(out) == STEPS - 2, "no half-written checkpoint"
    done = go_on(out)
    assert done.status == 0, done.err
    assert_same_end(untouched, only_run(out))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's processes")
def test_a_loader_process_that_is_killed_leaves_a_checkpoint_of_where_it_was(recipe, tmp_path, untouched, go_on):
    out = tmp_path / "short"
    process = start(recipe, out, "--set", "train.checkpoint_every=1000")
    metrics = out / "run"
    until = time.monotonic() + 120
    while not any(file.stat().st_size for file in metrics.glob("*/metrics.jsonl")) and time.monotonic() < until:
        time.sleep(0.002)
    parent = "PPid:\t" + str(process.pid) + "\n"
    workers = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/status") if parent in _read(path)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert f"(pid {workers[0]}) was killed by SIGKILL; a checkpoint of step {last_step(out)} is written" in errors
    assert "memory is short" in errors
    assert "--resume" in errors
    assert 0 < last_step(out) < STEPS
    done = go_on(out)
    assert done.status == 0, done.err
    assert_same_end(untouched, only_run(out))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
