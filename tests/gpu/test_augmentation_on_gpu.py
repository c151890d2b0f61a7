"""Augmentations of batches on the device: the CPU's pictures and spectrograms for the same draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import coview
from coview.data.batch import Batch, map_tensors
from coview.data.batch_rng import BatchRng
from coview.data.building import BatchStep
from coview.data.draws_ahead import BatchKey, DrawsAhead
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
    draws = DrawsAhead()
    for epoch in (0, 0, 1):
        of_batch = draws.of_batch(BatchKey(4, epoch, ids.new_zeros(1), ids))
        for position, k in ((0, 9), (3, 1), (4, 30)):
            alone = BatchRng(4, epoch, ids.cpu(), (0, 1), position).uniform(k)
            assert of_batch.rng((0, 1), position).uniform(k).cpu().equal(alone)
        draws.note(of_batch)


def augment_of(*steps, shared=()):
    modality = REGISTRY.build("modality", "image")
    listed = [
        BatchStep("image", position, (0, 1), step, 0 if position in shared else None)
        for position, step in enumerate(steps)
    ]
    return BatchAugment(5, listed, ("image",) * 2, 2, {"image": modality.finish})


def batch_of(number, gpu, channels=3, samples=32):
    x_RCHW = pictures(channels, rows=2 * samples).roll(number, 0).to(gpu)
    return Batch(
        {"image": x_RCHW}, torch.arange(samples, device=gpu) + 100 * number, None, None, None, epoch=number // 3
    )


@pytest.mark.parametrize("name", IMAGE)
def test_a_batch_waits_for_nothing(name, gpu, no_waiting):
    augment = augment_of(step_of(name))
    batches = [batch_of(number, gpu) for number in range(6)]
    for batch in batches[:3]:  # the first brings constants over, the second records
        augment(batch)
    no_waiting(True)
    for batch in batches[3:]:  # of a new epoch
        augment(batch)


@pytest.mark.parametrize("name", IMAGE)
def test_what_is_replayed_is_what_is_done_for_each_batch(name, gpu):
    replayed, alone = augment_of(step_of(name)), augment_of(step_of(name))
    alone._is_replayable = False
    batches = [batch_of(number, gpu) for number in range(5)]
    found = [replayed(batch).inputs["image"] for batch in batches]
    assert replayed._replay._recordings, "it was recorded"
    for one, batch in zip(found, batches, strict=True):  # and later ones have changed none of the earlier
        assert one.equal(alone(batch).inputs["image"])


def test_shared_draws_and_those_of_a_whole_view_are_replayed_too(gpu):
    class Darken:
        batch = True
        replayable = True

        def __call__(self, value, rng):
            share_V = rng.of_view().uniform()[:, 0]
            return value * share_V.repeat_interleave(len(value) // len(share_V)).view(-1, 1, 1, 1)

    made = [augment_of(step_of("random_resized_crop"), Darken(), shared={0}) for _ in range(3)]
    made[1]._is_replayable = False
    batches = [replace(batch_of(number, gpu), number=number % 3) for number in range(5)]
    for batch in batches:
        found, alone = (augment(batch).inputs["image"] for augment in made[:2])
        assert found.equal(alone)
        on_cpu = made[2](batch.to(torch.device("cpu"))).inputs["image"]
        assert float((found.cpu() - on_cpu).abs().mean()) < 1e-4
    assert made[0]._replay._recordings, "it was recorded"


def test_batches_of_other_shapes_are_augmented_too(gpu):
    replayed, alone = (augment_of(step_of("random_resized_crop"), step_of("random_flip")) for _ in range(2))
    alone._is_replayable = False
    for number, samples in enumerate((8, 8, 8, 5, 8, 5, 5, 5, 6, 6, 7, 7, 9, 9, 9)):
        batch = batch_of(number, gpu, samples=samples)
        assert replayed(batch).inputs["image"].equal(alone(batch).inputs["image"])


def test_what_is_drawn_may_depend_on_the_shape(gpu):
    class AddNoise:
        batch = True
        replayable = True

        def __call__(self, value, rng):
            return value + rng.uniform(value[0].numel()).view(value.shape)

    replayed, alone = (augment_of(AddNoise()) for _ in range(2))
    alone._is_replayable = False
    for number, side in enumerate((4, 4, 4, 6, 6, 6, 4, 4, 6)):
        batch = batch_of(number, gpu, samples=8)
        small = {"image": batch.inputs["image"][:, :, :side, :side].float() / 255}
        batch = batch.with_inputs(small, {})
        assert replayed(batch).inputs["image"].equal(alone(batch).inputs["image"])


def test_a_step_with_state_or_of_unknown_work_is_not_replayed(gpu):
    class Counts:
        batch = True
        calls = 0

        def __call__(self, value, rng):
            self.calls += 1
            return value

    counts = Counts()
    augment = augment_of(step_of("random_flip"), counts)
    for number in range(5):
        augment(batch_of(number, gpu))
    assert counts.calls == 5


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
