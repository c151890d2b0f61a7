"""How far augmentations move a sample: against distances computed by hand, and as a user sees it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import coview
from coview.data.views import PipelineStep
from coview.evaluate.features import FeatureSplit
from coview.experiment.augmentation.steps import Pipeline
from coview.experiment.augmentation.strength import measure


class Arrows:
    """Unit vectors in a plane, at multiples of 30 degrees; four classes of three neighbours."""

    classes = tuple("abcd")
    citation = licence = version = ""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        angle = math.radians(30 * index)
        return coview.Sample({"arrow": np.array([math.cos(angle), math.sin(angle)])}, id=index, label=index // 3)


class Turn:
    def __init__(self, degrees):
        self.angle = math.radians(degrees)

    def __call__(self, value, rng):
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]]) @ value


class Nothing:
    def __call__(self, value, rng):
        return value


def embed(dataset):
    samples = [dataset[i] for i in range(len(dataset))]
    return FeatureSplit(
        torch.from_numpy(np.stack([sample["arrow"] for sample in samples])).float(),
        torch.arange(len(samples)),
        torch.tensor([sample.label for sample in samples]),
    )


def measured(*steps):
    pipelines = [Pipeline("it", "", [PipelineStep(*step) for step in enumerate(steps)])]
    (strength,) = measure(Arrows(), "arrow", list(range(12)), pipelines, embed, seed=0)
    return strength


def test_turning_by_an_angle():
    found = measured(Turn(40))
    others = np.mean([math.cos(math.radians(30 * i)) for i in range(1, 12)])
    assert found.cosine == pytest.approx(math.cos(math.radians(40)), abs=1e-6)
    assert found.distance == pytest.approx((1 - math.cos(math.radians(40))) / (1 - others), abs=1e-5)
    assert found.between_views == pytest.approx(0, abs=1e-6)  # both views are turned alike
    assert found.rank == pytest.approx(2 / 11)  # those at 30 and at 60 degrees are nearer than the one at 40
    assert found.unchanged == 0


class TurnAtRandom:
    def __call__(self, value, rng):
        return Turn(rng.numpy.uniform(0, 360))(value, rng)


def test_views_that_share_a_draw_are_alike():
    def of(drawn_as):
        pipeline = Pipeline("it", "", [PipelineStep(0, TurnAtRandom(), drawn_as)])
        (strength,) = measure(Arrows(), "arrow", list(range(12)), [pipeline], embed, seed=0)
        return strength

    shared, apart = of(0), of(None)
    assert shared.between_views == pytest.approx(0, abs=1e-6)
    assert apart.between_views > 0.3
    assert shared.distance == apart.distance  # of the first view


def test_nothing_done_is_nothing_moved():
    found = measured(Nothing())
    assert (found.cosine, found.distance) == (pytest.approx(1), pytest.approx(0, abs=1e-6))
    assert (found.rank, found.unchanged, found.class_kept) == (0, 1, 1)


def test_a_turn_into_the_opposite_class_keeps_no_class():
    assert measured(Turn(180)).class_kept == pytest.approx(0, abs=0.35)
    assert measured(Turn(180)).rank == 1


def test_two_samples_can_be_looked_at_and_not_measured(registry, write_recipe, tmp_path):
    recipe = coview.load_recipe(write_recipe(), registry=registry)
    with pytest.raises(coview.CoviewError, match="measuring needs at least 3 samples, and 2 can be read"):
        coview.measure_augmentations(recipe, samples=2, registry=registry)
    for samples in (1, 2):  # a row for each: by the crop, and by all steps
        page = coview.preview_augmentations(recipe, tmp_path / "page.html", samples=samples, views=3, registry=registry)
        assert page.read_text().count('<div class="view original">') == 2 * samples
        assert page.read_text().count('<div class="view">') == 2 * 3 * samples


def test_measure_as_a_command(call, write_recipe):
    path = str(write_recipe())
    done = call("augment", "measure", path, "--samples", "24", "--json")
    (image,) = json.loads(done.out)
    assert image["reference"] == "resnet18 before training"
    assert [step["name"] for step in image["steps"]] == ["random_resized_crop", "all steps"]
    crop, whole = image["steps"]
    assert crop["distance"] == whole["distance"] > 0
    assert crop["parameters"] == "size = 8"
    shown = call("augment", "measure", path, "--samples", "24", "--under", "raw").out
    assert "24 samples under the raw features of image" in shown
    assert call("augment", "measure", path, "--samples", "24", "--json").out == done.out


def test_a_stronger_crop_is_further_away(call, write_recipe):
    path = str(write_recipe())
    distances = [
        json.loads(
            call(
                "augment", "measure", path, "--samples", "64", "--under", "raw", "--json", "--set", f"augment={steps}"
            ).out
        )[0]["steps"][0]["distance"]
        for steps in (
            '[{use="random_resized_crop",size=8,scale=[0.9,1.0]}]',
            '[{use="random_resized_crop",size=8,scale=[0.2,0.3]}]',
        )
    ]
    assert distances[0] < distances[1] / 2


def test_preview(call, write_recipe, tmp_path):
    page = tmp_path / "page.html"
    done = call("augment", "preview", str(write_recipe()), "--out", str(page), "--samples", "3", "--views", "2")
    assert done.out.strip() == str(page)
    text = page.read_text()
    assert text.count("<img ") == 2 * 3 * (1 + 2)  # all steps and the only one; each original and its views
    assert "image: random_resized_crop" in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("command", ["preview", "measure"])
def test_a_recipe_that_augments_nothing(call, write_recipe, command):
    path = write_recipe()
    done = call("augment", command, str(path), "--set", "augment=[]")
    assert done.status == 2
    assert "the recipe augments nothing" in done.err


TEXTS = """\
schema = 1
name = "texts"

[data]
use = "text_lines"
path = "ROOT/train.txt"

[[augment]]
use = "dropout_views"

[[augment]]
use = "token_cutoff"
share = 0.3

[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1

[loss]
use = "info_nce"

[optimizer]
use = "sgd"
lr = 0.001

[train]
steps = 1
batch_size = 4
device = "cpu"
"""
CUTOFF = '[[augment]]\nuse = "token_cutoff"'
SWAP = '[[augment]]\nuse = "random_swap"\nshare = 0.5\n\n'


@pytest.fixture
def texts(tmp_path, write_recipe):
    (tmp_path / "train.txt").write_text("".join(f"line {i} has some words, {i * i} in all\n" for i in range(30)))
    text = TEXTS.replace("ROOT", str(tmp_path))
    return lambda swap: str(write_recipe(text.replace(CUTOFF, SWAP + CUTOFF) if swap else text))


NAMED = [
    "dropout_views works inside the encoder: not shown",
    "token_cutoff (share = 0.3) works on the encoder's batches: not shown",
]


def test_steps_in_the_encoder_are_named_beside_what_is_measured(call, texts):
    path = texts(swap=True)
    (text,) = json.loads(call("augment", "measure", path, "--samples", "12", "--under", "raw", "--json").out)
    assert [step["name"] for step in text["steps"]] == ["random_swap", "all steps"]
    assert text["steps"][0]["unchanged"] < 0.5
    assert [(step["name"], step["why"]) for step in text["not_shown"]] == [
        ("dropout_views", "works inside the encoder"),
        ("token_cutoff", "works on the encoder's batches"),
    ]
    shown = call("augment", "measure", path, "--samples", "12", "--under", "raw").out.splitlines()
    assert shown[:2] == [f"text: {line}" for line in NAMED]
    assert "12 samples" in shown[2]


def test_a_pipeline_in_the_encoder_alone(call, texts, tmp_path):
    path = texts(swap=False)
    done = call("augment", "measure", path, "--samples", "12", "--under", "raw")
    assert (done.status, done.out.splitlines()) == (0, [f"text: {line}" for line in NAMED])
    page = tmp_path / "page.html"
    assert call("augment", "preview", path, "--out", page, "--samples", "3").status == 0
    content = page.read_text().replace("&#39;", "'")
    for line in NAMED:
        assert f"<p>text: {line}.</p>" in content
    assert "<h2>" not in content, "nothing is shown as if it were a view"
