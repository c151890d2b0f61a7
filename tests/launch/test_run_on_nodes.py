"""One run on two nodes of a stand-in of Slurm, and on a real Ray: the weights of one process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.launch.on_nodes import FollowedFile, OnNode, RunOnNodes, write_recipe
from coview.launch.slurm_nodes import SlurmNodes
from slurm_stand_in import install_slurm


def weights(out: Path, step: int = 6) -> dict[str, torch.Tensor]:
    (path,) = out.glob(f"*/*/checkpoints/step-{step}/weights.safetensors")
    return load_file(path)


def ranks(out: Path) -> int:
    (path,) = out.glob("*/*/environment.json")
    return json.loads(path.read_text())["ranks"]


def assert_alike(one, other):
    assert one.keys() == other.keys()
    for name, expected in one.items():
        assert torch.allclose(other[name].double(), expected.double(), rtol=1e-3, atol=3e-4), name


SMOOTH = '[encoder]\nuse = "vit"\nimage_size = 8\npatch = 2\nwidth = 8\nlayers = 1\nheads = 2\nchannels = 3\n\n'


@pytest.fixture
def recipe(write_recipe, small_recipe):
    start, end = small_recipe.index("[encoder]"), small_recipe.index("[projector]")
    return write_recipe(small_recipe[:start] + SMOOTH + small_recipe[end:])


@pytest.fixture
def alone(recipe, registry, tmp_path):
    coview.run(coview.load_recipe(recipe, registry=registry), tmp_path / "alone", registry=registry, quiet=True)
    return weights(tmp_path / "alone")


@pytest.mark.slow
def test_two_nodes_of_slurm_make_one_run(call, recipe, alone, tmp_path, monkeypatch):
    written = install_slurm(tmp_path, monkeypatch)
    settings = ("--launcher", "slurm", "--nodes", "2", "--launch-set", "timeout_min=7")
    done = call("run", recipe, "--out", tmp_path / "runs", *settings)
    assert done.status == 0, done.err + done.out
    assert_alike(alone, weights(tmp_path / "runs"))
    assert ranks(tmp_path / "runs") == 2
    asked = json.loads((written / "job-1.json").read_text())
    assert (asked["nodes"], asked["ntasks-per-node"], asked["time"]) == ("2", "1", "7")
    assert "Slurm job 1 on 2 nodes" in done.out
    assert "step 6/6" in done.out  # what the first process says is shown
    assert "knn" in done.out
    again = call("run", recipe, "--out", tmp_path / "runs", *settings)
    assert again.status == 0, again.err
    assert "nothing is left to do" in again.out


@pytest.mark.slow
def test_a_node_that_fails_is_named_with_its_log(recipe, registry, tmp_path, monkeypatch):
    install_slurm(tmp_path, monkeypatch)
    said: list[str] = []
    broken = tmp_path / "broken.toml"
    broken.write_text("schema = 1\n")
    launcher = SlurmNodes(tmp_path / "slurm", say=said.append)
    with pytest.raises(coview.CoviewError, match=r"Slurm job 1 failed, node 0 with exit status 1") as error:
        launcher.run(RunOnNodes(broken, tmp_path / "runs", nodes=1, per_node=1))
    assert str(tmp_path / "slurm") in error.value.message
    assert "broken.toml" in "\n".join(said)


@pytest.mark.slow
def test_a_machine_that_is_taken_away_leaves_a_checkpoint_and_the_run_goes_on(
    write_recipe, small_recipe, registry, tmp_path
):
    """What submitit does before a job's time is over."""
    text = small_recipe.replace("steps = 6", "steps = 4000").replace("checkpoint_every = 3", "checkpoint_every = 2000")
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    asked = RunOnNodes(write_recipe_to(recipe, tmp_path), tmp_path / "runs", nodes=1, per_node=1)
    part, ended = OnNode(), []
    thread = threading.Thread(target=lambda: ended.append(part(asked, "localhost", 77)))
    thread.start()
    until = time.monotonic() + 120
    while not any(path.stat().st_size for path in (tmp_path / "runs").glob("*/*/metrics.jsonl")):
        assert time.monotonic() < until
        time.sleep(0.2)
    part.stop()
    thread.join()
    (checkpoint,) = (tmp_path / "runs").glob("*/*/checkpoints/step-*")
    assert 0 < int(checkpoint.name.removeprefix("step-")) < 4000
    assert ended[0] != 0


def write_recipe_to(recipe, tmp_path):
    return write_recipe(recipe, tmp_path / "recipes")


@pytest.mark.slow
def test_two_workers_of_ray_make_one_run(recipe, alone, tmp_path):
    pytest.importorskip("ray")
    settings = ["--launcher", "ray", "--nodes", "2", "--out", str(tmp_path / "runs")]
    command = [sys.executable, "-m", "coview", "run", str(recipe), *settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    assert_alike(alone, weights(tmp_path / "runs"))
    assert ranks(tmp_path / "runs") == 2
    assert "knn" in done.stdout


def test_what_a_node_starts(tmp_path):
    asked = RunOnNodes(tmp_path / "a.toml", tmp_path / "runs", nodes=3, restarts=2, disabled=("text",))
    command = asked.command("node7", 123456, per_node=8)
    assert command[1:3] == ["-m", "torch.distributed.run"]
    options = dict(part.removeprefix("--").split("=") for part in command[3 : command.index("coview") - 1])
    assert options == {
        "nnodes": "3",
        "nproc-per-node": "8",
        "max-restarts": "2",
        "rdzv-backend": "c10d",
        "rdzv-id": "123456",
        "rdzv-endpoint": f"node7:{20_000 + 123456 % 20_000}",
    }
    assert command[command.index("coview") + 1 :] == [
        "--no-plugin", "text", "run", str(tmp_path / "a.toml"), "--resume", "--out", str(tmp_path / "runs"),
    ]  # fmt: skip


def test_each_line_of_a_file_is_shown_once(tmp_path):
    followed = FollowedFile(tmp_path / "log")
    assert followed.new_text() == ""
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        file.write("one\ntw")
        file.flush()
        assert followed.new_text() == "one\n"
        assert followed.new_text() == ""
        file.write("o\nthree\n")
        file.flush()
        assert followed.new_text() == "two\nthree\n"


def test_the_recipe_of_a_job_is_the_resolved_one(recipe, registry, tmp_path):
    loaded = coview.load_recipe(recipe, registry=registry, overrides={"seed": 9})
    written = write_recipe(loaded, tmp_path / "slurm")
    recipe.unlink()
    assert coview.load_recipe(written, registry=registry).hash == loaded.hash


@pytest.mark.parametrize(
    "option", [("--nodes", "2"), ("--per-node", "2"), ("--restarts", "1"), ("--launch-set", "a=1")]
)
def test_options_of_a_cluster_are_refused_without_one(call, recipe, tmp_path, option):
    done = call("run", recipe, "--out", tmp_path / "runs", *option)
    assert done.status == 2
    assert "are for --launcher slurm and ray" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_run_whose_process_was_killed_goes_on_from_its_checkpoint(write_recipe, small_recipe, registry, tmp_path):
    text = small_recipe.replace("steps = 6", "steps = 400").replace("checkpoint_every = 3", "checkpoint_every = 50")
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    asked = RunOnNodes(write_recipe_to(recipe, tmp_path), tmp_path / "runs", nodes=1, per_node=1, restarts=1)
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(OnNode()(asked, "localhost", 78)))
    thread.start()
    until = time.monotonic() + 120
    while not list((tmp_path / "runs").glob("*/*/checkpoints/step-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    workers = [
        process
        for process in psutil.Process().children(recursive=True)
        if "torch.distributed.run" not in " ".join(process.cmdline()) and "coview" in " ".join(process.cmdline())
    ]
    assert workers
    for process in workers:
        process.kill()
    thread.join()
    assert ended == [0]
    (results,) = (tmp_path / "runs").glob("*/*/results.json")  # of one run, and no second one
    steps = [json.loads(line)["step"] for line in (results.parent / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 400
