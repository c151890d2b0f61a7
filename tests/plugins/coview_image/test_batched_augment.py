"""The batched forms: OpenCV's and Albumentations' numbers for the same draws, and the same distribution of draws."""

from __future__ import annotations

import albumentations.augmentations.blur.functional as blur_functional
import albumentations.augmentations.pixel.functional as pixel_functional
import cv2
import numpy as np
import pytest
import torch
from scipy import stats

import coview
from coview.data.batch_rng import BatchRng
from coview_image.augment.batched.color_jitter import _jitter, _jitter_grey
from coview_image.augment.batched.random_resized_crop import draw_boxes
from coview_image.augment.color_jitter import ColorJitter
from coview_image.augment.flip import RandomFlip
from coview_image.augment.gaussian_blur import GaussianBlur
from coview_image.augment.grayscale import RandomGrayscale
from coview_image.augment.random_resized_crop import RandomResizedCrop
from coview_image.augment.rotation import RandomRotation
from coview_image.augment.solarize import Solarize
from coview_image.modality import ImageModality

STEPS = {
    "random_resized_crop": RandomResizedCrop(size=24, scale=(0.2, 1.0)),
    "random_flip": RandomFlip(),
    "vertical": RandomFlip(direction="vertical", p=0.3),
    "color_jitter": ColorJitter(strength=0.5),
    "random_grayscale": RandomGrayscale(p=0.4),
    "gaussian_blur": GaussianBlur(),
    "blur_of_size": GaussianBlur(kernel_size=5),
    "random_rotation": RandomRotation(degrees=40),
    "solarize": Solarize(p=0.5),
}


def pictures(rows, height=32, width=40, channels=3, seed=0):
    """Smooth ones, as photographs are, with values near both ends."""
    noise = np.random.default_rng(seed).normal(0.5, 0.6, (rows, 8, 8, channels))
    big = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) for picture in noise]
    return np.stack(big).reshape(rows, height, width, channels).clip(0, 1).astype(np.float32)


def as_rows(pictures_NHWC):
    return torch.from_numpy(pictures_NHWC).permute(0, 3, 1, 2)


def rng(rows, seed=0, views=(0,)):
    return BatchRng(seed, 0, torch.arange(rows // len(views)), views, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", STEPS)
def test_a_row_depends_on_nothing_but_its_key_and_picture(name, channels):
    value, step = as_rows(pictures(12, channels=channels)), STEPS[name].batched()
    before = value.clone()
    whole = step(value, rng(12, views=(0, 1)))
    assert value.equal(before)
    assert whole.dtype == torch.float32
    assert whole.min() >= 0
    assert whole.max() <= 1.0001
    order = torch.tensor([4, 1, 5])
    part = step(value[6 + order], BatchRng(0, 0, order, (1,), 0))
    assert torch.allclose(part, whole[6 + order], atol=1e-6)
    assert not step(value, rng(12, seed=1, views=(0, 1))).equal(whole) or (channels == 1 and "gray" in name)


@pytest.mark.parametrize("name", STEPS)
def test_bytes_give_what_numbers_from_0_to_1_do(name):
    grey = (pictures(6) * 255).round().astype(np.uint8)
    step = STEPS[name].batched()
    assert torch.allclose(
        step(as_rows(grey), rng(6)), step(as_rows((grey / 255).astype(np.float32)), rng(6)), atol=1e-6
    )


@pytest.mark.parametrize(
    ("interpolation", "enlarged"), [("linear", cv2.INTER_LINEAR), ("cubic", cv2.INTER_CUBIC)], ids=["linear", "cubic"]
)
@pytest.mark.parametrize("size", [12, 24, 31, 48])
def test_crops_are_those_of_opencv(size, interpolation, enlarged):
    """Smaller, larger, and smaller on one side only."""
    value = pictures(64)
    step = RandomResizedCrop(size=size, scale=(0.1, 1.0), ratio=(0.3, 3.0), interpolation=interpolation).batched()
    found = step(as_rows(value), rng(64)).permute(0, 2, 3, 1).numpy()
    boxes = draw_boxes(rng(64), 32, 40, (0.1, 1.0), (0.3, 3.0)).int().numpy()
    for picture, (top, left, tall, wide), out in zip(value, boxes, found, strict=True):
        shrinks = tall > size or wide > size
        expected = cv2.resize(
            picture[top : top + tall, left : left + wide],
            (size, size),
            interpolation=cv2.INTER_AREA if shrinks else enlarged,
        ).clip(0, 1)
        assert np.abs(out - expected).max() < 2e-5, (tall, wide)


def test_blur_is_that_of_albumentations():
    value = pictures(40)
    found = GaussianBlur(p=1.0).batched()(as_rows(value), rng(40)).permute(0, 2, 3, 1).numpy()
    sigmas = rng(40).uniform(1, 0.1, 2.0)[:, 0].numpy()
    for picture, sigma, out in zip(value, sigmas, found, strict=True):
        kernel = blur_functional.create_gaussian_kernel_1d(float(sigma), 0)
        expected = cv2.sepFilter2D(picture, -1, kernel, kernel)
        assert np.abs(out - expected).max() < 1e-5, sigma


def test_rotation_is_that_of_opencv():
    value = pictures(20)
    found = RandomRotation(degrees=40, border="reflect").batched()(as_rows(value), rng(20)).permute(0, 2, 3, 1).numpy()
    angles = rng(20).uniform(1, -40, 40)[:, 0].numpy()
    for picture, angle, out in zip(value, angles, found, strict=True):
        turn = cv2.getRotationMatrix2D((39 / 2, 31 / 2), float(angle), 1)
        expected = cv2.warpAffine(picture, turn, (40, 32), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        assert np.abs(out - expected).mean() < 5e-3, angle  # OpenCV rounds places to 1/32 of a pixel


FUNCTIONS = (
    pixel_functional.adjust_brightness_torchvision,
    pixel_functional.adjust_contrast_torchvision,
    pixel_functional.adjust_saturation_torchvision,
    pixel_functional.adjust_hue_torchvision,
)


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_that_of_albumentations_in_any_order(channels):
    value, generator = pictures(48, channels=channels), torch.Generator().manual_seed(0)
    factors = torch.rand(48, 4, generator=generator) * 1.6 + 0.2
    factors[:, 3] = torch.rand(48, generator=generator) - 0.5
    orders = torch.rand(48, 4, generator=generator).argsort(1)
    jitter = _jitter_grey if channels == 1 else _jitter
    found = jitter(as_rows(value), factors, orders).permute(0, 2, 3, 1).numpy()
    for picture, factor, order, out in zip(value, factors.tolist(), orders.tolist(), found, strict=True):
        expected = picture
        for kind in order:
            expected = np.clip(FUNCTIONS[kind](expected, factor[kind]), 0, 1).reshape(picture.shape)
        assert np.abs(out - expected).max() < 3e-3


def test_solarize_and_grey_are_those_of_albumentations():
    value = pictures(8)
    found = Solarize(p=1.0).batched()(as_rows(value), rng(8)).permute(0, 2, 3, 1).numpy()
    assert np.allclose(found, np.where(value >= 0.5, 1 - value, value))
    grey = RandomGrayscale(p=1.0).batched()(as_rows(value), rng(8)).permute(0, 2, 3, 1).numpy()
    assert np.allclose(grey, (value @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], atol=1e-6)


N = 3000


def by_one(step, value):
    one = coview.Rng()
    return [step(value, one.seek(0, 0, row, 0, 0)) for row in range(N)]


def test_boxes_are_drawn_from_the_distribution_of_the_form_for_one_picture():
    """Places in a picture that encodes its own coordinates tell which part was cut out."""
    scale, ratio = (0.2, 1.0), (3 / 4, 4 / 3)
    step = RandomResizedCrop(size=8, scale=scale, ratio=ratio)
    drawn = []
    one = coview.Rng()
    for row in range(N):
        step.transform.set_random_state(one.numpy, one.python)
        one.seek(0, 0, row, 0)
        left, top, right, bottom = step.transform.get_params_dependent_on_data({"shape": (32, 40, 3)}, {})[
            "crop_coords"
        ]
        drawn.append((top, left, bottom - top, right - left))
    here, there = draw_boxes(rng(N), 32, 40, scale, ratio).numpy(), np.array(drawn)
    for values in (lambda b: b[:, 2] * b[:, 3], lambda b: b[:, 3] / b[:, 2], lambda b: b[:, 0], lambda b: b[:, 1]):
        assert stats.ks_2samp(values(here), values(there)).pvalue > 1e-3


def test_a_part_that_never_fits_is_the_middle_as_in_the_form_for_one_picture():
    boxes = draw_boxes(rng(5), 10, 100, (1.0, 1.0), (0.5, 2.0))
    assert boxes.tolist() == [[0, 40, 10, 20]] * 5


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_statistics_of_what_comes_out_are_those_of_the_form_for_one_picture(name):
    """Of the same picture: the mean and the variance of every pixel, and the distribution of the picture's mean."""
    value = pictures(1, 16, 16, seed=3)[0]
    step = RandomResizedCrop(size=12, scale=(0.2, 1.0)) if name == "random_resized_crop" else STEPS[name]
    there = np.stack(by_one(step, value))
    here = step.batched()(as_rows(np.repeat(value[None], N, 0)), rng(N, seed=1)).permute(0, 2, 3, 1).numpy()
    error = np.sqrt((here.var(0) + there.var(0)) / N) + 1e-3
    assert (np.abs(here.mean(0) - there.mean(0)) < 5 * error).all()
    assert np.abs(here.var(0) - there.var(0)).mean() < 0.1 * there.var(0).mean() + 1e-4
    assert stats.ks_2samp(here.mean((1, 2, 3)).round(5), there.mean((1, 2, 3)).round(5)).pvalue > 1e-4


def test_a_batch_that_is_collated_raw_and_finished_is_the_collated_one():
    values = list((pictures(3) * 255).astype(np.uint8))
    for modality in (ImageModality(), ImageModality(channels=1), ImageModality(size=16, mean=(0.1,), std=(0.3,))):
        raw = modality.collate_raw(values)
        assert raw.dtype == torch.uint8
        assert modality.finish(raw).equal(modality.collate(values))
        assert torch.allclose(modality.finish(raw.float() / 255), modality.collate(values), atol=1e-6)


@pytest.mark.slow
def test_a_run_augments_on_the_device_by_one_line(write_recipe, small_recipe, tmp_path):
    steps = '[[augment]]\nuse = "color_jitter"\n\n[[augment]]\nuse = "gaussian_blur"\n\n[encoder]'
    text = small_recipe.replace("[encoder]", steps).replace("workers = 0", 'workers = {}\naugment_on = "device"')
    ends = []
    for workers in (0, 2):
        recipe = coview.load_recipe(write_recipe(text.format(workers)))
        assert all(step.on_device for step in recipe.augment["image"])
        ends.append(coview.run(recipe, tmp_path / str(workers), quiet=True).topology.state_dict())
    assert all(ends[0][key].equal(ends[1][key]) for key in ends[0])
