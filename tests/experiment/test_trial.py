"""Trying a recipe out: what a run would stumble over is said, and nothing of size is built."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

import coview
from coview.experiment.trial import try_out
from coview.model.topology import build_topology


def test_it_says_what_the_run_would_be(write_recipe, small_run, registry):
    told = try_out(coview.load_recipe(write_recipe(), registry=registry), registry)
    parameters = sum(p.numel() for p in small_run.topology.student.parameters())
    assert told == f"1,437 samples, 6 steps, {parameters:,} parameters, projections 2 × 4 × 8"


def test_the_model_takes_no_memory(write_recipe, registry, monkeypatch):
    built = []

    def build(*arguments, **options):
        built.append(build_topology(*arguments, **options))
        return built[0]

    monkeypatch.setattr("coview.experiment.trial.build_topology", build)
    sets = ["encoder.width=2048", "projector.hidden=65536"]
    recipe = coview.load_recipe(write_recipe(), sets=sets, registry=registry)
    told = try_out(recipe, registry)
    assert all(parameter.is_meta for parameter in built[0].parameters())
    count = int(re.search(r"([\d,]+) parameters", told)[1].replace(",", ""))
    assert count > 10**10


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (
            ["encoder.channels=1"],
            r'recipe.toml:14: encoder.use: the encoder "resnet18" does not take the batch \(8, 3, 8, 8\)',
        ),
        (["augment=[]", "data.use=image_folder", "data.root=pictures"], "pictures of different sizes cannot form one"),
        (["train.batch_size=2000"], "a batch of 2,000 is more than the 1,437 training samples"),
        (["train.accumulate=50", "train.epochs=1"], "50 batches for a step are more than the 44 of the whole run"),
        (["encoder={use='timm:test_vit'}"], "cannot encode a batch of shape"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_by_check_and_dry_run(call, write_recipe, tmp_path, sets, says):
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for side in range(1, 60):
        Image.new("RGB", (side, side)).save(tmp_path / "pictures" / f"{side}.png")
    options = [word for text in sets for word in ("--set", text)]
    path = write_recipe()
    assert call("recipe", "check", path, *options).status == 0, "without building it is a good recipe"
    for command in (["recipe", "check", path, "--build"], ["run", path, "--dry-run"]):
        done = call(*command, *options)
        assert (done.status, done.out) == (2, "")
        assert re.search(says, done.err), done.err
        assert "Traceback" not in done.err
    assert not (tmp_path / "runs").exists()


class Bright(nn.Module):
    """A perceptron on the bright pixels, whose number depends on the batch, with a scale that NumPy has made."""

    width = 6

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, self.width)
        self.register_buffer("scale", torch.from_numpy(np.full(1, 0.5, np.float32)))

    def forward(self, x_NCHW):
        bright_N1 = torch.zeros(len(x_NCHW), 1, device=x_NCHW.device)
        rows_K = (x_NCHW[:, 0] > 0).nonzero()[:, 0]
        return coview.Encoding(self.layer(bright_N1.index_add(0, rows_K, self.scale.expand(len(rows_K), 1))))


def test_an_encoder_that_asks_for_numbers_is_tried_on_the_cpu(write_recipe, registry):
    mine = coview.Registrar("mine")
    mine.encoder("bright", f"{__name__}:Bright", modality="image", summary="bright pixels")
    found = registry.plus(mine)
    recipe = coview.load_recipe(write_recipe(), sets=["encoder={use='bright'}"], registry=found)
    assert try_out(recipe, found).endswith("projections 2 × 4 × 8 (tried with real numbers, on the CPU)")


def test_a_loss_that_is_not_finite_is_said(write_recipe, registry, monkeypatch):
    from coview_losses.nt_xent import NTXent

    monkeypatch.setattr(NTXent, "forward", lambda self, views: torch.tensor(math.nan))
    recipe = coview.load_recipe(write_recipe(), registry=registry)
    with pytest.raises(coview.CoviewError, match=r"recipe\.toml:22: loss: the loss is not finite on random"):
        try_out(recipe, registry)
