"""Two processes of torchrun train what one does: same views, same batch norm, same weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

PARTS = """
[predictor]
hidden = 16

[teacher]
momentum = 0.9
shuffle_groups = {groups}

[queue]
size = 100
"""


def train(recipe: Path, ranks: int, out: Path) -> str:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
    command = [sys.executable, *launcher, "-m", "coview", "run", str(recipe), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(out: Path, step: int) -> dict[str, torch.Tensor]:
    (path,) = out.glob(f"*/*/checkpoints/step-{step}/weights.safetensors")
    return load_file(path)


def losses(out: Path) -> list[float]:
    (metrics,) = out.glob("*/*/metrics.jsonl")
    return [json.loads(line)["loss"] for line in metrics.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 4], ids=["synchronised", "shuffled"])
def test_two_ranks_end_with_the_weights_of_one_process(write_recipe, small_recipe, tmp_path, groups):
    text = small_recipe.replace('use = "nt_xent"', 'use = "info_nce"') + PARTS.format(groups=groups)
    # at a rate so low that rounding does not grow from step to step
    recipe = write_recipe(text.replace("lr = 0.05", "lr = 0.005"))
    train(recipe, 1, tmp_path / "one")
    printed = train(recipe, 2, tmp_path / "two")
    assert printed.count("tensorboard --logdir") == 1  # rank 0 alone speaks
    alone, shared, before = weights(tmp_path / "one", 6), weights(tmp_path / "two", 6), weights(tmp_path / "one", 3)
    assert alone.keys() == shared.keys()
    for name, expected in alone.items():
        if expected.is_floating_point():
            assert torch.allclose(shared[name], expected, rtol=1e-3, atol=3e-4), name
        else:
            assert torch.equal(shared[name], expected), name
    moved = max(float((alone[name] - before[name]).abs().max()) for name in alone if name.startswith("student"))
    assert moved > 0.005
    one, two = (losses(tmp_path / name) for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-3)
    assert len(one) == 3
