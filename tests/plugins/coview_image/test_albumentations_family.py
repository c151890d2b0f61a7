"""``albumentations:*``: every transform deterministic by key, equal to Albumentations' own call, strictly checked."""

from __future__ import annotations

import inspect
import random
import warnings

import cv2
import numpy as np
import pytest

import coview
from coview.plugins.parameters import Parameters
from coview_image.augment.albumentations import albumentations_transform, usable_transforms

NEEDS = {
    "CenterCrop": {"height": 20, "width": 20},
    "Crop": {"x_max": 20, "y_max": 20},
    "CropAndPad": {"px": 3},
    "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 5},
    "LongestMaxSize": {"max_size": 20},
    "RandomCrop": {"height": 20, "width": 20},
    "RandomResizedCrop": {"size": [20, 20]},
    "RandomSizedCrop": {"min_max_height": [8, 20], "size": [20, 20]},
    "Resize": {"height": 20, "width": 20},
    "SmallestMaxSize": {"max_size": 20},
    "XYMasking": {"mask_x_length": 5, "num_masks_x": 1},
}
NAMES = sorted(usable_transforms())
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def build(name: str, **given):
    factory = albumentations_transform(name)
    parameters = Parameters.of(factory, "augmentation")
    given = {**NEEDS.get(name, {}), **given}
    assert parameters.check(given) == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return factory(**parameters.arguments(given))


def certain(name: str):
    takes_p = "p" in inspect.signature(albumentations_transform(name)).parameters
    return build(name, **({"p": 1.0} if takes_p else {}))


def test_there_are_many():
    assert len(NAMES) > 80
    assert {"Posterize", "CoarseDropout", "Affine", "GaussNoise"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_is_a_pure_function_of_the_key_that_touches_no_global_state(name):
    step, other, rng = certain(name), certain(name), coview.Rng()
    expected = []
    for sample in range(3):
        np.random.seed(sample)
        random.seed(sample)
        cv2.setRNGSeed(sample)
        numpy_state, python_state = np.random.get_state(), random.getstate()
        expected.append(step(PICTURE, rng.seek(3, 1, sample, 1, 2)))
        after = np.random.get_state()
        assert np.array_equal(after[1], numpy_state[1])
        assert after[2] == numpy_state[2]
        assert random.getstate() == python_state
    fresh = coview.Rng()
    for sample in (2, 0, 1):
        cv2.setRNGSeed(99)
        np.random.seed(99)
        random.seed(99)
        assert np.array_equal(other(PICTURE, fresh.seek(3, 1, sample, 1, 2)), expected[sample])


@pytest.mark.parametrize("name", NAMES)
def test_equals_albumentations_own_call(name):
    """The step leaves out Albumentations' bookkeeping; what comes out has to be the same."""
    step, rng = build(name), coview.Rng()
    for sample in range(6):
        ours = step(PICTURE, rng.seek(0, 0, sample, 0, 0))
        rng.seek(0, 0, sample, 0, 0)
        theirs = step.transform(image=PICTURE)["image"]
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_gives_a_picture(name):
    out = certain(name)(PICTURE, coview.Rng())
    assert isinstance(out, np.ndarray)
    assert out.dtype in (np.uint8, np.float32)
    assert out.ndim == 3
    assert out.shape[2] in (1, 3)


@pytest.mark.parametrize("name", NAMES)
def test_every_default_is_valid_and_written_out(name):
    parameters = Parameters.of(albumentations_transform(name), "augmentation")
    resolved = parameters.resolved(NEEDS.get(name, {}))
    assert set(NEEDS.get(name, {})) <= set(resolved)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("Posterize", {"num_bit": 3}, 'did you mean "num_bits"'),
        ("Posterize", {"num_bits": "3"}, "has to be"),
        ("Posterize", {"p": 1.5}, "less than or equal to 1"),
        ("Posterize", {"p": "1"}, "number"),
        ("Posterize", {"strict": True}, "unknown key"),
        ("GaussNoise", {"var_limit": [10, 50]}, "unknown key"),
        ("CoarseDropout", {"max_holes": 8}, "unknown key"),
        ("Solarize", {"threshold": 128}, "unknown key"),
        ("HorizontalFlip", {"always_apply": True}, "unknown key"),
        ("RandomResizedCrop", {}, "missing"),
        ("RandomResizedCrop", {"size": 28}, "array"),
        ("RandomResizedCrop", {"size": [28, 28], "scale": [1.0, 0.2]}, "First value should be less"),
        ("Blur", {"blur_limit": 1}, "less than 3"),
        ("PlasmaShadow", {"plasma_size": 64}, "unknown key"),
        ("RandomCrop", {"height": 0, "width": 5}, "greater than or equal to 1"),
    ],
)
def test_what_albumentations_lets_pass_is_refused(name, given, message):
    problems = Parameters.of(albumentations_transform(name), "augmentation").check(given)
    assert problems
    assert message in "; ".join(f"{problem.path}: {problem.message}" for problem in problems)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("posterise", 'did you mean "Posterize"'),
        ("posterize", 'did you mean "Posterize"'),
        ("Compose", "no transform"),
        ("OneOf", "no transform"),
        ("BasicTransform", "no transform"),
        ("ImageOnlyTransform", "no transform"),
        ("CenterCrop3D", 'did you mean "CenterCrop"'),
        ("os", "no transform"),
        ("Normalize", "modality"),
        ("Mosaic", "other pictures"),
        ("MaskDropout", "mask"),
    ],
)
def test_what_is_no_transform_of_one_picture_is_refused(name, message):
    with pytest.raises(LookupError, match=message):
        albumentations_transform(name)


def test_parameters_are_documented_from_albumentations():
    listed = {p.name: p for p in Parameters.of(albumentations_transform("Affine"), "augmentation").parameters}
    assert "rotat" in listed["rotate"].doc.lower()
    assert listed["p"].type.startswith("a number from 0 to 1")
