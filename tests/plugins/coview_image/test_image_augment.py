"""The six augmentations: a pure function of the Rng's key, valid pictures out, the probabilities that they claim."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest

import coview
from coview_image.augment.color_jitter import ColorJitter
from coview_image.augment.flip import RandomFlip
from coview_image.augment.gaussian_blur import GaussianBlur
from coview_image.augment.grayscale import RandomGrayscale
from coview_image.augment.random_resized_crop import RandomResizedCrop
from coview_image.augment.rotation import RandomRotation

MAKERS = {
    "random_resized_crop": lambda: RandomResizedCrop(size=24),
    "color_jitter": lambda: ColorJitter(),
    "random_grayscale": lambda: RandomGrayscale(p=0.5),
    "gaussian_blur": lambda: GaussianBlur(),
    "random_flip": lambda: RandomFlip(),
    "random_rotation": lambda: RandomRotation(),
}


def picture(seed: int = 0, shape: tuple[int, ...] = (32, 40, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def outcomes(augmentation, value, samples: int = 12, rng: coview.Rng | None = None) -> list[np.ndarray]:
    rng = rng or coview.Rng()
    return [augmentation(value, rng.seek(0, 0, sample, 0, 0)) for sample in range(samples)]


@pytest.mark.parametrize("name", MAKERS)
def test_is_a_pure_function_of_the_key(name):
    value = picture()
    first = outcomes(MAKERS[name](), value)
    np.random.seed(1)
    random.seed(1)
    used = MAKERS[name]()
    outcomes(used, picture(1), samples=5)  # whatever it did before
    again = outcomes(used, value, rng=coview.Rng(9, 9, 9))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.tobytes() for a in first}) > 1


@pytest.mark.parametrize("name", MAKERS)
def test_differs_by_each_part_of_the_key(name):
    augmentation, value, rng = MAKERS[name](), picture(), coview.Rng()
    keys = {
        part: [tuple(k if i == place else 0 for i in range(5)) for k in range(24)]
        for place, part in enumerate(("seed", "epoch", "sample", "view", "position"))
    }
    for part, streams in keys.items():
        assert len({augmentation(value, rng.seek(*key)).tobytes() for key in streams}) > 1, part


@pytest.mark.parametrize("name", MAKERS)
def test_leaves_global_randomness_and_its_input_alone(name):
    value = picture()
    before, numpy_state, python_state = value.copy(), np.random.get_state()[1].copy(), random.getstate()
    outcomes(MAKERS[name](), value)
    assert np.array_equal(value, before)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert random.getstate() == python_state


@pytest.mark.parametrize("shape", [(32, 40, 3), (32, 40)], ids=["rgb", "grey"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", MAKERS)
def test_gives_a_picture_of_the_same_kind(name, dtype, shape):
    value = picture(shape=shape)
    value = value if dtype == np.uint8 else (value / 255).astype(np.float32)
    for out in outcomes(MAKERS[name](), value):
        assert out.dtype == dtype
        assert out.flags.c_contiguous
        assert out.shape == ((24, 24, *shape[2:]) if name == "random_resized_crop" else shape)
        assert np.isfinite(out).all()
        assert out.min() >= 0
        assert out.max() <= (255 if dtype == np.uint8 else 1)


@pytest.mark.parametrize("name", MAKERS)
def test_survives_pickling_and_copying_after_use(name):
    augmentation, value = MAKERS[name](), picture()
    expected = outcomes(augmentation, value, 4)
    for other in (pickle.loads(pickle.dumps(augmentation)), copy.deepcopy(augmentation), augmentation):
        assert all(np.array_equal(a, b) for a, b in zip(outcomes(other, value, 4), expected, strict=True))


@pytest.mark.parametrize(
    ("augmentation", "applied", "p"),
    [
        (RandomFlip(p=0.5), lambda x, y: np.array_equal(y, x[:, ::-1]), 0.5),
        (RandomFlip(direction="vertical", p=0.3), lambda x, y: np.array_equal(y, x[::-1]), 0.3),
        (RandomGrayscale(p=0.2), lambda x, y: bool((y == y[..., :1]).all()), 0.2),
        (ColorJitter(p=0.8), lambda x, y: not np.array_equal(x, y), 0.8),
        (GaussianBlur(p=0.5, sigma=(1.0, 2.0)), lambda x, y: not np.array_equal(x, y), 0.5),
    ],
    ids=["horizontal", "vertical", "grayscale", "jitter", "blur"],
)
def test_happens_as_often_as_p_says(augmentation, applied, p):
    value, n = picture(shape=(8, 8, 3)), 3000
    share = np.mean([applied(value, out) for out in outcomes(augmentation, value, n)])
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_greyscale_is_the_luma():
    value = picture()
    grey = RandomGrayscale(p=1.0)(value, coview.Rng())
    luma = value @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_crops_cover_the_areas_asked_for():
    """The coordinates of a picture that encodes its own places tell which part was cut out."""
    side = 256
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    value = np.dstack([rows, columns, rows * 0])
    crop = RandomResizedCrop(size=64, scale=(0.25, 0.5), ratio=(0.5, 2.0))
    areas, ratios = [], []
    for out in outcomes(crop, value, 400):
        height = float(np.ptp(out[..., 0])) * 64 / 63
        width = float(np.ptp(out[..., 1])) * 64 / 63
        areas.append(height * width)
        ratios.append(width / height)
    assert 0.23 < min(areas) < 0.28
    assert 0.47 < max(areas) < 0.53
    assert 0.45 < min(ratios) < 0.6
    assert 1.7 < max(ratios) < 2.2


def test_shrinking_crops_do_not_alias():
    """One-pixel stripes average to grey; sampled without averaging they stay black and white."""
    value = np.zeros((256, 256, 3), np.uint8)
    value[:, ::2] = 255
    out = RandomResizedCrop(size=32, scale=(1.0, 1.0), ratio=(1.0, 1.0))(value, coview.Rng())
    assert np.abs(out.astype(int) - 127).max() <= 2


def test_jitter_scales_with_its_strength():
    value = picture()
    strong, weak, none = (
        np.mean([np.abs(out.astype(int) - value).mean() for out in outcomes(ColorJitter(strength=s, p=1.0), value, 60)])
        for s in (1.0, 0.25, 0.0)
    )
    assert none < 1 < weak < strong


def test_blur_approaches_the_gaussian_of_scipy():
    from scipy.ndimage import gaussian_filter

    value = picture(shape=(40, 40))
    out = GaussianBlur(sigma=(1.5, 1.5), p=1.0)(value, coview.Rng())
    expected = gaussian_filter(value.astype(float), 1.5, mode="mirror")
    assert np.abs(out - expected)[8:-8, 8:-8].max() < 2.5
    narrow = GaussianBlur(sigma=(1.5, 1.5), kernel_size=3, p=1.0)(value, coview.Rng())
    assert narrow.std() > out.std()


def test_rotation_by_a_half_turn_is_two_flips_at_the_limit():
    value = picture(shape=(31, 31, 3))
    angles = outcomes(RandomRotation(degrees=180.0), value, 40)
    assert len({out.tobytes() for out in angles}) == 40
    small = outcomes(RandomRotation(degrees=0.01), value, 3)
    assert all(np.abs(out.astype(int) - value).mean() < 2 for out in small)
    dark = outcomes(RandomRotation(degrees=45.0), np.full((31, 31, 3), 255, np.uint8), 20)
    mirrored = outcomes(RandomRotation(degrees=45.0, border="reflect"), np.full((31, 31, 3), 255, np.uint8), 20)
    assert min(out.min() for out in dark) == 0
    assert min(out.min() for out in mirrored) == 255


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomResizedCrop(size=8, scale=(0.9, 0.2)), "scale has to be"),
        (lambda: RandomResizedCrop(size=8, ratio=(2.0, 1.0)), "ratio has to be"),
        (lambda: ColorJitter(strength=2.0, hue=0.4), "at most 0.5"),
        (lambda: GaussianBlur(sigma=(2.0, 1.0)), "sigma has to be"),
        (lambda: GaussianBlur(kernel_size=4), "odd"),
    ],
)
def test_contradictions_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
