"""What is missing of a comparison is run, once; what fails stops nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import coview
from coview.compare.cells import find_cells, slug
from coview.compare.run_missing import run_missing
from coview.data.file_lock import file_lock
from coview.launch.job import Job
from coview.launch.local import LocalLauncher, _outcome
from coview.launch.slurm import SlurmLauncher
from coview.recipe.comparison import load_comparison
from forked import Forked

SWEEP = '\n[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\n'
BROKEN = SWEEP + '\n[[sweep.zip]]\nlabel = "right"\n[[sweep.zip]]\nlabel = "wrong"\n"train.batch_size" = 2000\n'


@pytest.fixture
def comparison(write_recipe, small_recipe, registry):
    def load(text=SWEEP):
        return load_comparison(write_recipe(small_recipe.replace("steps = 6", "steps = 2") + text), registry=registry)

    return load


@pytest.mark.slow
def test_cells_are_run_once_and_found_again(comparison, registry, tmp_path):
    said = []
    cells = run_missing(comparison(), tmp_path / "runs", registry, LocalLauncher(2), say=said.append)
    assert [cell.run is not None for cell in cells] == [True, True]
    assert said[0] == "small: 2 cells, 0 there, 2 to run"
    temperatures = [json.loads(cell.run.results.read_text())["recipe_hash"] for cell in cells]
    assert temperatures == [cell.recipe.hash for cell in comparison().cells]
    again = []
    assert run_missing(comparison(), tmp_path / "runs", registry, LocalLauncher(), say=again.append) == cells
    assert again == ["small: 2 cells, 2 there, 0 to run"]
    # another comparison that has one of the cells does not train it again
    other = comparison('\n[sweep.grid]\n"loss.temperature" = [0.5, 0.9]\n')
    assert [cell.run is not None for cell in find_cells(other, tmp_path / "runs", registry)] == [True, False]


@pytest.mark.slow
def test_a_cell_that_fails_is_a_row_with_its_reason(comparison, registry, tmp_path):
    said = []
    cells = run_missing(comparison(BROKEN), tmp_path / "runs", registry, LocalLauncher(2), say=said.append)
    by_name = {cell.cell.name: cell for cell in cells}
    assert sum(cell.run is not None for cell in cells) == 2
    assert "1,437" in by_name["wrong · 0.1"].reason
    assert "batch_size" in by_name["wrong · 0.1"].log.read_text()
    assert sum("failed after" in line for line in said) == 2


def test_a_process_that_is_killed_is_a_failure(tmp_path):
    """As the kernel kills one that wants too much memory."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: os.kill(os.getpid(), signal.SIGKILL))
    process.start()
    theirs.close()
    done = _outcome(process, ours, Job("a", tmp_path, tmp_path, tmp_path))
    assert (done.status, "was killed by SIGKILL" in done.reason) == ("failed", True)


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on(write_recipe, small_recipe, registry, tmp_path):
    long = small_recipe.replace("steps = 6", "steps = 4000").replace("checkpoint_every = 3", "checkpoint_every = 4000")
    path = write_recipe(long + SWEEP)
    command = [sys.executable, "-m", "coview", "compare", str(path), "--out", str(tmp_path / "runs")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = tmp_path / "runs" / "small" / "runs"
    for _ in range(600):
        if any(file.stat().st_size for file in metrics.rglob("metrics.jsonl")):
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    checkpoints = list(metrics.rglob("checkpoints/step-*"))
    assert len(checkpoints) == 1
    assert not list(metrics.rglob("failed.txt"))


def _alive(process):
    """Whether it is there, and not only waiting to be asked how it ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _descendants(process):
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, front = set(), {process}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - found
        found |= front
    return found


def _wait_until(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's processes")
def test_runs_of_a_comparison_that_is_killed_write_a_checkpoint_and_end(write_recipe, small_recipe, tmp_path):
    long = small_recipe.replace("steps = 6", "steps = 40000").replace(
        "checkpoint_every = 3", "checkpoint_every = 40000"
    )
    long = long.replace("workers = 0", "workers = 1")
    command = [sys.executable, "-m", "coview", "compare", str(write_recipe(long + SWEEP)), "--processes", "2"]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "runs")], stdout=subprocess.DEVNULL)
    try:
        runs = tmp_path / "runs" / "small" / "runs"
        assert _wait_until(lambda: sum(file.stat().st_size > 0 for file in runs.rglob("metrics.jsonl")) == 2)
        started = _descendants(process.pid)
        assert len(started) >= 4, "two runs, each with a loader process"
    finally:
        process.kill()
        process.wait()
    assert _wait_until(lambda: not any(map(_alive, started)), 60)
    assert len(list(runs.rglob("checkpoints/step-*"))) == 2
    for lock in runs.rglob(".lock"):
        with file_lock(lock, wait=False, say=pytest.fail):
            pass


@pytest.mark.slow
def test_a_comparison_that_is_started_twice_trains_each_cell_once(write_recipe, small_recipe, tmp_path):
    path = write_recipe(small_recipe.replace("steps = 6", "steps = 60") + SWEEP)
    command = [
        sys.executable,
        "-m",
        "coview",
        "compare",
        str(path),
        "--processes",
        "2",
        "--out",
        str(tmp_path / "runs"),
    ]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert out.count(": done in ") == 2, out
    assert len(list((tmp_path / "runs" / "small" / "runs").rglob("recipe.toml"))) == 2


HOLDS = """
import sys, time
from pathlib import Path
from coview.launch import job
made = job.Job("temperature 0.1", Path("none.toml"), Path(sys.argv[1]), Path(sys.argv[1]) / "log.txt")
def run(job):
    print("held", file=sys.__stderr__, flush=True)
    while sys.argv[2] == "hold" and not (job.out / "go").exists():
        time.sleep(0.05)
    return "done", ""
job._run = run
job.run_job(made)
"""


@pytest.mark.usefixtures("forks")
def test_who_makes_a_cell_is_said_to_who_waits_for_it(tmp_path, tmp_path_factory):
    script = tmp_path_factory.mktemp("script") / "holds.py"
    script.write_text(HOLDS)
    command = ["python", str(script), str(tmp_path)]
    first = Forked([*command, "hold"], tmp_path)
    try:
        assert _wait_until(lambda: (tmp_path / ".held-by").exists())
        second = Forked([*command, "0"], tmp_path)
        said = f"  temperature 0.1: process {first.process.pid} of {platform.node()} trains it; this process waits for it\n"
        assert second.streams[0].readline() == said
        (tmp_path / "go").touch()
        assert second.finish(60)[:2] == (0, "")
        assert first.finish(60)[0] == 0
        assert not (tmp_path / ".held-by").exists()
        assert Forked([*command, "0"], tmp_path).finish(60)[:2] == (0, "")
    finally:
        first.process.kill()
        first.process.join()


def test_a_copy_of_a_finished_run_is_not_taken_for_the_cell(write_recipe, own_run, registry, tmp_path):
    comparison = load_comparison(write_recipe(own_run.folder.recipe.read_text() + SWEEP), registry=registry)
    (found,) = [cell for cell in find_cells(comparison, tmp_path / "runs", registry) if cell.run]
    assert found.run.path == own_run.path
    own_run.path.rename(own_run.path.with_name(f"{own_run.path.name} (copy)"))
    assert not [cell for cell in find_cells(comparison, tmp_path / "runs", registry) if cell.run]


@pytest.mark.slow
def test_slurm_by_submitit(comparison, registry, tmp_path):
    pytest.importorskip("submitit")
    launcher = SlurmLauncher(tmp_path / "slurm", {"timeout_min": 5}, cluster="local")
    cells = run_missing(comparison(), tmp_path / "runs", registry, launcher, say=lambda text: None)
    assert [cell.reason for cell in cells] == ["", ""]
    assert all(cell.run is not None for cell in cells)


@pytest.mark.slow
def test_ray(comparison, registry, tmp_path):
    ray = pytest.importorskip("ray")
    from coview.launch.ray import RayLauncher

    try:
        cells = run_missing(comparison(), tmp_path / "runs", registry, RayLauncher(settings={"num_cpus": 1}), say=print)
        assert all(cell.run is not None for cell in cells), [cell.reason for cell in cells]
    finally:
        ray.shutdown()


def test_a_dry_run_lists_cells(call, write_recipe, small_recipe):
    done = call("compare", write_recipe(small_recipe + SWEEP), "--dry-run")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split()[0] == "0.1"
    assert lines[0].endswith("to run")
    assert lines[-1] == "2 cells, 2 to run, and 2 of unknown duration"


UNTIL = """
[compare]
until = "decided"
{more}
[sweep.grid]
"loss.temperature" = [0.1, 0.2]
seed = [5, 6, 7, 8, 9, 10]
"""


@pytest.mark.parametrize(
    ("more", "tune", "says"),
    [
        ("", "", "looks at 5 seeds may follow: 10 cells at most"),
        ('budget = "2h"', "", "10 cells at most, within a budget of 2h00m"),
        ("budget = 7", "", "10 cells at most, within a budget of 7 cells"),
        ("", '[tune.choose]\n"optimizer.lr" = [0.1, 0.2]', "then, as each variant has chosen by knn/accuracy"),
    ],
)
def test_a_dry_run_until_decided_lists_the_first_look_alone(call, write_recipe, small_recipe, more, tune, says):
    text = UNTIL.format(more='metric = "knn/accuracy"\n' + more)
    done = call("compare", write_recipe(small_recipe + text + tune), "--dry-run")
    assert done.status == 0, done.err
    assert says in done.out
    assert "the first look takes 6 cells, of the seeds 5, 6, 7;" in done.out
    assert ("4 cells, 4 to run" if tune else "6 cells, 6 to run") in done.out
    assert "seed 8" not in done.out
    fewer = text.replace("[5, 6, 7, 8, 9, 10]", "[5, 6]")
    done = call("compare", write_recipe(small_recipe + fewer + tune), "--dry-run")
    assert (done.status, "looks at 3 seeds first, and the sweep has 2" in done.err) == (2, True)


def test_what_is_there_can_be_reported_before_the_rest_is(call, write_recipe, small_recipe, registry, tmp_path):
    path = write_recipe(small_recipe + SWEEP)
    none = call("compare", path, "--no-run")
    assert (none.status, "no cell has a finished run" in none.err) == (2, True)
    coview.run(load_comparison(path, registry=registry).cells[0].recipe, tmp_path / "runs", quiet=True)
    done = call("compare", path, "--no-run")
    assert done.status == 0, done.err
    assert "Only 0.1 has a number" in done.out
    assert len(list((tmp_path / "runs").rglob("results.json"))) == 1


def test_what_cannot_be_compared(call, write_recipe, tmp_path):
    done = call("compare", write_recipe())
    assert (done.status, "nothing to compare" in done.err) == (2, True)
    done = call("compare", write_recipe(), write_recipe(name="other.toml"))
    assert "give one recipe, or the folders of runs" in done.err
    done = call("compare", write_recipe(), "--by", "seed")
    assert "--by groups runs that are there" in done.err
    (tmp_path / "empty").mkdir()
    assert "there is no run in it" in call("compare", tmp_path / "empty").err


def test_slugs():
    assert slug("loss.temperature=0.1, optimizer.lr=0.2") == "loss.temperature=0.1_optimizer.lr=0.2"
    assert slug("…") == "_"
