"""Promise 2: a run killed at any moment resumes, and ends with the weights of one that was not. Real processes."""

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

pytestmark = pytest.mark.slow

STEPS = 60


@pytest.fixture
def recipe(write_recipe, small_recipe):
    text = small_recipe.split("[[evaluate]]")[0]
    text = text.replace("steps = 6", f"steps = {STEPS}").replace("checkpoint_every = 3", "checkpoint_every = 2")
    return write_recipe(text.replace("workers = 0", "workers = 2").replace('name = "small"', 'name = "run"'))


def command(recipe, out, *more):
    return [sys.executable, "-m", "coview", "run", str(recipe), "--out", str(out), *more]


def start(recipe, out, *more):
    return subprocess.Popen(
        command(recipe, out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(recipe, out, *more):
    return subprocess.run(command(recipe, out, *more), capture_output=True, text=True, check=False, timeout=300)


def only_run(out: Path) -> Path:
    (run,) = (out / "run").iterdir()
    return run


def last_step(out: Path) -> int:
    steps = [int(path.name.split("-")[1]) for path in out.glob("run/*/checkpoints/step-*")]
    return max(steps, default=0)


def wait_for_step(out: Path, process, step: int) -> None:
    until = time.monotonic() + 120
    while last_step(out) < step and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


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


@pytest.fixture
def untouched(recipe, tmp_path):
    done = finish(recipe, tmp_path / "untouched")
    assert done.returncode == 0, done.stderr
    return only_run(tmp_path / "untouched")


def test_sigkill_at_random_moments(recipe, tmp_path, untouched):
    chance = random.Random(os.environ.get("COVIEW_TEST_SEED"))
    out = tmp_path / "killed"
    for kill in range(3):
        process = start(recipe, out, *(["--resume"] if kill else []))
        wait_for_step(out, process, last_step(out) + 2)
        time.sleep(chance.random() * 0.5)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done = finish(recipe, out, "--resume")
    assert done.returncode == 0, done.stderr
    assert_same_end(untouched, only_run(out))


@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)])
def test_a_signal_ends_with_a_checkpoint_and_status_130(recipe, tmp_path, untouched, number, group):
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
    done = finish(recipe, out, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"from step {stopped_at} " in done.stderr
    assert_same_end(untouched, only_run(out))


def test_a_truncated_checkpoint_falls_back_to_the_one_before(recipe, tmp_path, untouched):
    out = tmp_path / "damaged"
    shutil.copytree(untouched.parent.parent, out)
    run = only_run(out)
    weights = run / f"checkpoints/step-{STEPS}/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    done = finish(recipe, out, "--resume")
    assert done.returncode == 0, done.stderr
    assert "damaged checkpoint is passed over" in done.stderr
    assert f"from step {STEPS - 2} " in done.stderr
    assert_same_end(untouched, run)


def test_a_finished_run_has_nothing_left_and_a_changed_recipe_is_shown_as_a_difference(recipe, tmp_path, untouched):
    done = finish(recipe, untouched.parent.parent, "--resume")
    assert done.returncode == 0
    assert "nothing is left to do" in done.stderr
    changed = finish(recipe, untouched.parent.parent, "--resume", "--set", "loss.temperature=0.3")
    assert changed.returncode == 2
    assert "loss.temperature: 0.5 → 0.3" in changed.stderr
    assert "Traceback" not in changed.stderr
    assert only_run(untouched.parent.parent) == untouched


def test_a_full_disk_is_one_message_and_resumes(recipe, tmp_path, untouched):
    out = tmp_path / "full"
    process = start(recipe, out)
    wait_for_step(out, process, 2)
    process.kill()
    process.communicate()
    limit = f"ulimit -f 8; trap '' XFSZ; exec {' '.join(command(recipe, out, '--resume'))}"
    full = subprocess.run(["bash", "-c", limit], capture_output=True, text=True, check=False, timeout=300)
    assert full.returncode == 2, full.stderr
    assert "Traceback" not in full.stderr
    assert "make room" in full.stderr
    done = finish(recipe, out, "--resume")
    assert done.returncode == 0, done.stderr
    assert_same_end(untouched, only_run(out))
