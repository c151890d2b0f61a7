"""Augmentations of batches on the device: the CPU's pictures and spectrograms for the same draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import coview
from coview.data.batch import Batch, map_tensors
from coview.data.batch_rng import BatchRng, DrawsAhead
from coview.data.building import BatchStep
from coview.model.batch_augment import BatchAugment

pytestmark = pytest.mark.gpu

REGISTRY = coview.load_plugins()
PARAMETERS = {
    "random_resized_crop": {"size": 24},
    "simclr": {"size": 24},
    "moco_v2": {"size": 24},
    "solarize": {"p": 0.5},
    "byol": {"view": "second", "size": 24},
    "dino": {"view": "second", "size": 24},
}
IMAGE = sorted(
    component.name
    for component in REGISTRY.of_kind("augmentation")
    if component.modality == "image" and not component.is_family and hasattr(component.load(), "batched")
)


def step_of(name):
    return REGISTRY.build("augmentation", name, modality="image", **PARAMETERS.get(name, {})).batched()


def pictures(channels=3, rows=64):
    """Smooth, as photographs are: at an edge between two values a rounding becomes a step."""
    noise = torch.rand(rows, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise, size=(32, 36), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().to(torch.uint8)


def test_there_are_some():
    assert {"random_resized_crop", "color_jitter", "gaussian_blur", "random_rotation", "simclr"} <= set(IMAGE)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", IMAGE)
def test_pictures_are_those_of_the_cpu(name, channels, gpu):
    x_RCHW, ids = pictures(channels), torch.arange(32) * 7
    step = step_of(name)
    expected = step(x_RCHW, BatchRng(3, 1, ids, (0, 1), 2))
    found = step(x_RCHW.to(gpu), BatchRng(3, 1, ids.to(gpu), (0, 1), 2))
    assert found.device.type == "cuda"
    difference = (found.cpu() - expected).abs()
    # a channel that just ceases to be the largest turns the hue another way: hardly any pixel, and not far
    assert np.quantile(difference, 0.999) < 1e-3
    assert float(difference.mean()) < 1e-4


def test_all_steps_draw_at_once_what_each_draws_alone(gpu):
    ids = torch.arange(20, device=gpu) * 2**33
    draws = DrawsAhead(4)
    for epoch in (0, 0, 1):
        of_batch = draws.of_batch(epoch, ids)
        for position, k in ((0, 9), (3, 1), (4, 30)):
            alone = BatchRng(4, epoch, ids.cpu(), (0, 1), position).uniform(k)
            assert of_batch.rng((0, 1), position).uniform(k).cpu().equal(alone)


@pytest.mark.parametrize("name", IMAGE)
def test_a_batch_waits_for_nothing(name, gpu, no_waiting):
    modality = REGISTRY.build("modality", "image")
    augment = BatchAugment(
        0, [BatchStep("image", 0, (0, 1), step_of(name))], ("image",) * 2, 2, {"image": modality.finish}
    )
    batch = Batch({"image": pictures().to(gpu)}, torch.arange(32, device=gpu), None, None, None)
    for _ in range(2):  # in the first of an epoch constants are brought over, the second draws ahead
        augment(batch)
    no_waiting(True)
    augment(batch)


def waveforms(rows=24):
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(9000, 16000, (rows,), generator=generator)
    waveform = torch.randn(rows, 16000, generator=generator) * 0.1
    waveform[torch.arange(16000) >= lengths[:, None]] = 0
    return {"waveform_NT": waveform, "lengths_N": lengths, "rate_N": torch.full((rows,), 16000)}


def test_spectrograms_and_their_steps_are_those_of_the_cpu(gpu):
    names = ["log_mel", "random_resize_crop", "mixup", "spec_augment"]
    found = {}
    for device in ("cpu", gpu):
        steps = [REGISTRY.build("augmentation", name, modality="audio") for name in names]
        ids = torch.arange(12, device=device)
        for epoch in range(2):  # the second has something to mix in
            batch = map_tensors(lambda tensor, device=device: tensor.to(device), waveforms())
            for position, step in enumerate(steps):
                batch = step(batch, BatchRng(0, epoch, ids, (0, 1), position))
        found[str(device)] = batch["log_mel_NFT"].cpu()
    difference = (found["cpu"] - found["cuda"]).abs()
    assert np.quantile(difference, 0.999) < 1e-2  # in nepers: float16 holds what is mixed in
    assert float(difference.mean()) < 1e-3
