"""Pipelines by name: the steps that the papers have, one after the other from one stream, and their batched form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import coview
from coview.data.batch_rng import BatchRng
from coview_image.augment.color_jitter import ColorJitter
from coview_image.augment.flip import RandomFlip
from coview_image.augment.gaussian_blur import GaussianBlur
from coview_image.augment.grayscale import RandomGrayscale
from coview_image.augment.named_pipelines import BYOL, DINO, MoCoV2, SimCLR
from coview_image.augment.random_resized_crop import RandomResizedCrop
from coview_image.augment.solarize import Solarize

WEAK = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
CASES = {
    "simclr": (
        SimCLR(size=20, strength=0.5, scale=(0.2, 1.0), interpolation="linear"),
        [RandomResizedCrop(size=20, scale=(0.2, 1.0)), RandomFlip(), ColorJitter(strength=0.5), RandomGrayscale(), GaussianBlur()],
    ),
    "simclr without blur": (
        SimCLR(size=20, blur=0.0),
        [RandomResizedCrop(size=20, interpolation="cubic"), RandomFlip(), ColorJitter(), RandomGrayscale()],
    ),
    "moco_v2": (
        MoCoV2(size=20),
        [
            RandomResizedCrop(size=20, scale=(0.2, 1.0)),
            RandomFlip(),
            ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
            RandomGrayscale(),
            GaussianBlur(),
        ],
    ),
    "byol, second": (
        BYOL(view="second", size=20),
        [RandomResizedCrop(size=20, interpolation="cubic"), RandomFlip(), ColorJitter(**WEAK), RandomGrayscale(), GaussianBlur(p=0.1), Solarize()],
    ),
    "dino, first": (
        DINO(view="first", size=20),
        [RandomResizedCrop(size=20, scale=(0.4, 1.0), interpolation="cubic"), RandomFlip(), ColorJitter(**WEAK), RandomGrayscale(), GaussianBlur(p=1.0)],
    ),
    "dino, local": (
        DINO(view="local"),
        [RandomResizedCrop(size=96, scale=(0.05, 0.4), interpolation="cubic"), RandomFlip(), ColorJitter(**WEAK), RandomGrayscale(), GaussianBlur()],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_steps_in_a_row(name):
    pipeline, steps = CASES[name]
    for row in range(40):
        value = np.random.default_rng(row).integers(0, 256, (32, 30, 3), dtype=np.uint8)
        found, rng = pipeline(value, coview.Rng(1, 2, row)), coview.Rng(1, 2, row)
        for step in steps:
            value = step(value, rng)
        assert np.array_equal(found, value)


@pytest.mark.parametrize("name", CASES)
def test_in_batches_too(name):
    pipeline, steps = CASES[name]
    x = torch.rand(6, 3, 32, 30, generator=torch.Generator().manual_seed(0))
    found, rng = (
        pipeline.batched()(x, BatchRng(1, 2, torch.arange(6), (0,), 3)),
        BatchRng(1, 2, torch.arange(6), (0,), 3),
    )
    for step in steps:
        x = step.batched()(x, rng)
    assert found.equal(x)
    assert len({tuple(row.flatten()[:50].tolist()) for row in found}) == 6


MULTI_CROP = """
[data]
use = "digits"
local_views = 2
workers = 0
{on}

[[augment]]
use = "dino"
view = "first"
size = 12
views = [0]

[[augment]]
use = "dino"
view = "second"
size = 12
views = [1]

[[augment]]
use = "dino"
view = "local"
size = 6
views = "local"

[teacher]

[encoder]"""


@pytest.mark.slow
@pytest.mark.parametrize("on", ["", 'augment_on = "device"'])
def test_dinos_multi_crop_runs_in_workers_and_on_the_device(write_recipe, small_recipe, tmp_path, on):
    head, rest = small_recipe.split("[data]")
    text = head + MULTI_CROP.format(on=on) + rest.split("[encoder]")[1].replace('use = "nt_xent"', 'use = "dino"')
    run = coview.run(coview.load_recipe(write_recipe(text)), tmp_path, quiet=True)
    assert [result for result in run.results if result.kind == "pretrained"]
