"""Two processes of torchrun train what one does: same views, same batch norm, same weights."""

from __future__ import annotations

import json
import os
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


SMOOTH = '''
"""A network without kinks: where a ReLU is at zero, rounding decides about a tenth of a small network's gradient."""

from torch import nn

import coview


class Smooth(nn.Module):
    def __init__(self, *, width: int = 16):
        super().__init__()
        self.width = width
        parts = []
        for inputs in (3, 8):
            parts += [nn.Conv2d(inputs, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.SiLU()]
        self.network = nn.Sequential(*parts, nn.Flatten(), nn.Linear(8 * 64, width))

    def forward(self, batch):
        return coview.Encoding(self.network(batch))


@coview.hookimpl
def coview_register(registry):
    registry.encoder("smooth", "smooth:Smooth", modality="image", summary="without kinks")
'''


@pytest.fixture
def smooth(tmp_path, monkeypatch):
    """The network as an installed plugin."""
    (tmp_path / "smooth.py").write_text(SMOOTH)
    about = tmp_path / "smooth-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: smooth\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\nsmooth = smooth\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))


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


FROZEN = """
[[optimizer.group]]
match = "encoder.network.0.*"
freeze = true

[[optimizer.group]]
match = "encoder.network.1.*"
freeze = true

[[optimizer.group]]
match = "predictor.*"
freeze = 4
lr_scale = 0.5
"""


VIEWS_AND_GRADIENTS_APART = """batch_norm = "per_view"
clip_norm = 0.1
clip_norm_of = "each"
"""


LAYERS = """
[encoder]
use = "vit"
image_size = 8
patch = 2
width = 8
layers = 3
heads = 2
channels = 3

"""

DECAY = """
[[optimizer.group]]
match = "encoder.*"
layer_decay = 0.5
"""


@pytest.mark.slow
def test_two_ranks_with_layer_decay_end_with_the_weights_of_one_process(write_recipe, small_recipe, tmp_path):
    """After one step; without the decay, too, rounding makes 3e-4 of a step of about 1."""
    text = small_recipe.split("[[evaluate]]")[0].replace("steps = 6", "steps = 1").replace("lr = 0.05", "lr = 0.5")
    start, end = text.index("[encoder]"), text.index("[projector]")
    ends = {}
    for name, ranks, special in (("one", 1, DECAY), ("two", 2, DECAY), ("without", 1, "")):
        recipe = write_recipe(text[:start] + LAYERS + text[end:] + special, f"{name}.toml")
        train(recipe, ranks, tmp_path / name)
        ends[name] = weights(tmp_path / name, 1)

    def distance(one, other):
        return max(float((ends[one][key] - tensor).abs().max()) for key, tensor in ends[other].items())

    assert distance("two", "one") < 1e-3
    assert distance("without", "one") > 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("smooth")
@pytest.mark.parametrize(
    ("groups", "special", "train_too"),
    [(1, "", ""), (4, "", ""), (1, FROZEN, ""), (1, "", VIEWS_AND_GRADIENTS_APART)],
    ids=["synchronised", "shuffled", "partly frozen", "per view"],
)
def test_two_ranks_end_with_the_weights_of_one_process(
    write_recipe, small_recipe, tmp_path, groups, special, train_too
):
    text = small_recipe.replace('use = "nt_xent"', 'use = "info_nce"') + PARTS.format(groups=groups) + special
    text = text.replace("[train]\n", f"[train]\n{train_too}")
    start, end = text.index("[encoder]"), text.index("[projector]")
    recipe = write_recipe(text[:start] + '[encoder]\nuse = "smooth"\n\n' + text[end:])
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


SWAV = """
[loss]
use = "swav"
prototypes = 5
frozen = 1.0
queue_from = 0.5

[queue]
size = 128

"""


@pytest.mark.slow
@pytest.mark.usefixtures("smooth")
def test_frozen_prototypes_do_not_decay_on_two_ranks(write_recipe, small_recipe, tmp_path):
    """Their gradients are absent, and stay so: a step on zeros would shorten them by a twentieth."""
    text = small_recipe.split("[[evaluate]]")[0].replace("lr = 0.05", "lr = 0.05\nweight_decay = 1.0")
    start, end = text.index("[encoder]"), text.index("[projector]")
    text = text[:start] + '[encoder]\nuse = "smooth"\n\n' + text[end:]
    start, end = text.index("[loss]"), text.index("[optimizer]")
    recipe = write_recipe(text[:start] + SWAV + text[end:])
    found = {}
    for ranks in (1, 2):
        train(recipe, ranks, tmp_path / str(ranks))
        for step in (3, 6):
            (prototypes,) = (w for n, w in weights(tmp_path / str(ranks), step).items() if "prototypes" in n)
            found[ranks, step] = prototypes
    torch.testing.assert_close(found[1, 3].norm(dim=1), torch.ones(5), atol=1e-6, rtol=0)
    for other in ((1, 6), (2, 3), (2, 6)):
        torch.testing.assert_close(found[other], found[1, 3], atol=1e-6, rtol=0)
    one, two = (losses(tmp_path / name) for name in ("1", "2"))
    assert two == pytest.approx(one, rel=1e-3)


ENDING = """
import coview


class StopsAt(coview.Callback):
    changes_run = True
    every_step = True

    def step_end(self, context):
        if context.step == 3:
            context.stop("three are enough")


@coview.hookimpl
def coview_register(registry):
    registry.callback("stops", "ending:StopsAt", summary="stops at step 3, which logs nothing")
"""


@pytest.mark.slow
def test_two_ranks_end_at_the_step_at_which_one_does(write_recipe, small_recipe, tmp_path, monkeypatch):
    (tmp_path / "ending.py").write_text(ENDING)
    about = tmp_path / "ending-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ending\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\nending = ending\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    recipe = write_recipe(
        small_recipe.replace("checkpoint_every = 3", "checkpoint_every = 6") + '\n[[callback]]\nuse = "stops"\n'
    )
    for ranks in (1, 2):
        out = tmp_path / f"of-{ranks}"
        train(recipe, ranks, out)
        (environment,) = out.glob("*/*/environment.json")
        assert json.loads(environment.read_text())["stopped"] == {
            "by": "stops",
            "reason": "three are enough",
            "step": 3,
        }
        assert weights(out, 3)
        resumed = subprocess.run(
            [sys.executable, "-m", "coview", "run", str(recipe), "--out", str(out), "--resume"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "is finished: nothing is left to do" in resumed.stderr


LATE = """
import os, time

import coview

if os.environ.get("RANK") == "1":
    time.sleep(20)


@coview.hookimpl
def coview_register(registry):
    pass
"""


@pytest.mark.slow
def test_a_rank_that_is_late_joins_the_run_that_the_first_has_begun(write_recipe, small_recipe, tmp_path, monkeypatch):
    """With --resume each rank would find an unfinished run where the first has made a new folder."""
    (tmp_path / "late.py").write_text(LATE)
    about = tmp_path / "late-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\nlate = late\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "coview"]
    command += ["run", str(write_recipe(small_recipe)), "--out", str(tmp_path / "runs"), "--resume"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "goes on from" not in done.stderr
    assert "starts again" not in done.stderr
    assert len(list((tmp_path / "runs").glob("*/*/results.json"))) == 1
