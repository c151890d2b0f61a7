"""The packages in ``examples/``, as strangers would ship them: wheels, installed by pip, and recipes on small data."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from example_packages import ON_A_CPU, PACKAGES, SOURCES, installed, run_example, seeing

__all__ = ["installed", "run_example", "seeing"]  # fixtures

SMALL_TASTES = ("data.use=tastes", "data.users=60", "data.items=80", "data.tastes=2")


@pytest.mark.parametrize(
    ("recipe", "smaller"),
    [
        ("coview-recsys/people", ["train.steps=2"]),
        ("coview-graph/recipes/graphcl-motifs", ["train.epochs=1", "data.size=200"]),
    ],
)
def test_a_package_runs_from_its_wheel(run_example, recipe, smaller):
    """On data that need no file, for a step or two."""
    pytest.importorskip("torch_geometric", reason="torch_geometric is not installed: pip install 'coview[test]'")
    found = run_example(recipe, *smaller)
    assert {kind for _, kind in found} == {"pretrained", "untrained", "raw"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["lightgcn", "sgl", "simgcl"])
def test_a_recommender_finds_what_a_user_chooses(run_example, recipe):
    sets = ("data.use=tastes", "data.tastes=10", "data.loyalty=0.9", "encoder.user.users=300", "encoder.user.items=200")
    sets += ("train.epochs=10", "optimizer.lr=0.02", "train.batch_size=512")
    found = run_example(f"coview-recsys/{recipe}", *sets)
    ranks = {kind: value for (metric, kind), value in found.items() if metric == "recall@20"}
    assert ranks["pretrained"] > 2 * ranks["untrained"]


@pytest.mark.slow
def test_two_processes_train_what_one_does(seeing, tmp_path):
    """The extras of both are gathered, and each has what users have chosen."""
    sets = [*SMALL_TASTES, "encoder.user.items=80", "encoder.item.items=80", "train.epochs=2", "evaluate=[]"]
    sets += ["train.batch_size=60", *ON_A_CPU]
    recipe = SOURCES / "coview-recsys" / "two-towers.toml"
    found = []
    for ranks in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
        options = [word for given in sets for word in ("--set", given)]
        command = [sys.executable, *launcher, "-m", "coview", "run", recipe, "--out", tmp_path / str(ranks), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (weights,) = (tmp_path / str(ranks)).glob("*/*/checkpoints/step-*/weights.safetensors")
        found.append(load_file(weights))
    one, two = found
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, rtol=0, atol=1e-5), name


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_a_packages_own_tests_pass_with_its_wheel(seeing, package):
    tests = SOURCES / package / "tests"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", tests, tests],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
