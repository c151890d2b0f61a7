"""Accuracy on augmented test samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_subjects import Encoder, Vectors, subject
from torch import nn

import coview
from coview.builtin.evaluators.robustness import Robustness
from coview.evaluate.encoder_subject import AugmentStep


def clouds(n, seed):
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return Vectors(generator.normal(size=(n, 3)) + 4 * labels[:, None], labels)


class Shift:
    def __init__(self, by):
        self.by = np.float32(by)

    def __call__(self, value, rng):
        return value + self.by


class Noise:
    def __call__(self, value, rng):
        return value + np.float32(rng.numpy.normal(scale=5.0))


@pytest.fixture
def data():
    return {"train": clouds(400, 0), "test": clouds(200, 1)}


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(nn.Linear(3, 5))


def test_a_step_of_the_pipeline_is_applied_ever_more_often(data, encoder):
    given = subject(encoder, data, steps=[AugmentStep("shift", {"by": 1.0}, Shift(1.0))])
    results = Robustness().evaluate_encoder(given, coview.Rng(0))
    assert [(r.protocol["augmentation"], r.protocol.get("times")) for r in results] == [
        ("none", None), ("shift", 1), ("shift", 2), ("shift", 4)
    ]  # fmt: skip
    # the clouds are at 0 and 4, so the border is at about 2 and crosses what is shifted by hand
    expected = []
    for by in (0, 1, 2, 4):
        moved = data["test"].x_ND.mean(1) + by
        expected.append(float(((moved > 2) == data["test"].labels_N).mean()))
    assert [r.value for r in results] == pytest.approx(expected, abs=0.05)
    assert results[0].value > 0.98
    assert results[-1].value < 0.6
    assert len({r.protocol_hash for r in results}) == 4


def test_levels_of_one_augmentation(data, encoder):
    asked = []

    def build(name, parameters):
        asked.append((name, parameters))
        return Shift(parameters["by"])

    evaluator = Robustness(augmentation="shift", levels=({"by": 0.0}, {"by": 4.0}))
    given = subject(encoder, data, steps=[AugmentStep("noise", {}, Noise())], build=build)
    clean, unmoved, moved = evaluator.evaluate_encoder(given, coview.Rng(0))
    assert asked == [("shift", {"by": 0.0}), ("shift", {"by": 4.0})]
    assert unmoved.per_item.tolist() == clean.per_item.tolist()
    assert moved.protocol["parameters"] == {"by": 4.0}
    assert moved.value < clean.value


def test_the_same_samples_are_augmented_alike_for_every_control(data, encoder):
    steps = [AugmentStep("noise", {}, Noise())]
    seen = []

    def collecting(given):
        embed = given.embed

        def spy(dataset):
            seen.append(np.stack([dataset[i]["vector"] for i in range(len(dataset))]))
            return embed(dataset)

        object.__setattr__(given, "embed", spy)
        return given

    for of in (encoder, None):
        Robustness(times=(1, 2)).evaluate_encoder(collecting(subject(of, data, steps=steps)), coview.Rng(3))
    once, twice, raw_once, raw_twice = seen
    np.testing.assert_array_equal(once, raw_once)
    np.testing.assert_array_equal(twice, raw_twice)
    assert not np.allclose(twice - once, once - data["test"].x_ND)  # another draw, not the same one again


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"augmentation": "blur"}, "augmentation is given without levels"),
        ({"levels": ({"a": 1},)}, "levels is given without augmentation"),
        ({"times": (2, 1)}, "times have to rise"),
    ],
)
def test_parameters_that_do_not_fit_each_other(parameters, message):
    with pytest.raises(ValueError, match=message):
        Robustness(**parameters)


def test_a_recipe_that_augments_nothing(data, encoder):
    with pytest.raises(coview.CoviewError, match="augments no vector"):
        Robustness().evaluate_encoder(subject(encoder, data), coview.Rng(0))
