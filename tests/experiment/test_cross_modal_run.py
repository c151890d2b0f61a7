"""A small run of pictures and captions: what its evaluators get, and what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics.pairwise import cosine_similarity

import coview
from coview.evaluate.embedding import read_embedded
from coview.model.token_task import Part

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

RECIPE = """\
schema = 1
name = "captions"
seed = 1

[data]
use = "captioned_digits"
views = 1
workers = 0

[encoder.image]
use = "resnet18"
stem = "small"
width = 8

[encoder.text]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2

[projector.image]
hidden = 16
width = 8

[projector.text]
hidden = 16
width = 8

[loss]
use = "clip"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 4
batch_size = 32
precision = "fp32"
device = "cpu"
"""

EVALUATE = """
[[evaluate]]
use = "retrieval"
query = "text"
gallery = "image"
k = [1, 5]

[[evaluate]]
use = "zero_shot"
of = "image"
by = "text"
prompts = ["a picture of a {}", "{}"]

[[evaluate]]
use = "retrieval"
k = [1]
"""


class CaptionedDigits:
    """scikit-learn's digits with a caption each, 120 in all."""

    splits = ("train", "test")
    modalities = ("image", "text")
    citation, licence, version = "scikit-learn", "BSD", "1"
    classes: tuple[str, ...] | None = NAMES

    def __init__(self, split: str = "train"):
        digits = coview.load_plugins().build("dataset", "digits", supplied={"split": split})
        self.samples = [digits[index] for index in range(80 if split == "train" else 40)]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index, /):
        sample = self.samples[index]
        values = {"image": sample["image"], "text": f"a {NAMES[sample.label]}, number {index}"}
        return coview.Sample(values, id=index, label=sample.label)


@pytest.fixture(scope="module")
def registry():
    test = coview.Registrar("test")
    test.dataset("captioned_digits", f"{__name__}:CaptionedDigits", summary="digits with captions")
    return coview.load_plugins().plus(test)


@pytest.fixture(scope="module")
def run(registry, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    (folder / "recipe.toml").write_text(RECIPE + EVALUATE)
    recipe = coview.load_recipe(folder / "recipe.toml", registry=registry)
    return coview.run(recipe, folder / "runs", registry=registry, quiet=True)


def projections(run, kind, modality):
    """As they are kept in the run's folder, and as the model of the checkpoint makes them."""
    folder = next(
        path for path in (run.path / "features").iterdir() if path.name.startswith(kind) and modality in path.name
    )
    (path,) = folder.glob("test.safetensors")
    of = {"rows": 40, "version": "1", "recipe": run.recipe.hash, "modality": modality}
    return read_embedded(path, of).features


def test_the_numbers_are_of_the_projections(run):
    across = [row for row in run.results if row.evaluator == "retrieval" and "projections_of" in row.protocol]
    rows = {(row.evaluator, row.metric, row.kind): row.value for row in across}
    for kind in ("pretrained", "untrained"):
        text, image = projections(run, kind, "text"), projections(run, kind, "image")
        assert text.x_ND.shape == image.x_ND.shape == (40, 8)
        assert text.ids_N.equal(image.ids_N)
        similarity = cosine_similarity(text.x_ND, image.x_ND)
        ranks = 1 + (similarity > np.diag(similarity)[:, None]).sum(1)
        assert rows["retrieval", "recall@1", kind] == pytest.approx((ranks <= 1).mean())
        assert rows["retrieval", "recall@5", kind] == pytest.approx((ranks <= 5).mean())
        assert rows["retrieval", "mrr", kind] == pytest.approx((1 / ranks).mean())


def test_projections_are_those_of_the_checkpoints_towers(run):
    tower = run.topology.student.towers["text"].eval()
    data = CaptionedDigits("test")
    with torch.no_grad():
        batch = tower.encoder.collate([data[index]["text"] for index in range(40)])
        z_ND = tower([Part(batch, None)]).projections
    torch.testing.assert_close(projections(run, "pretrained", "text").x_ND, z_ND, atol=1e-5, rtol=1e-4)


def test_zero_shot_is_the_nearest_name(run):
    tower = run.topology.student.towers["text"].eval()
    image = projections(run, "pretrained", "image")
    means = []
    for name in NAMES:
        with torch.no_grad():
            batch = tower.encoder.collate([f"a picture of a {name}", name])
            z_PD = tower([Part(batch, None)]).projections
        means.append((z_PD / z_PD.norm(dim=1, keepdim=True)).mean(0))
    predicted = cosine_similarity(image.x_ND, torch.stack(means)).argmax(1)
    (found,) = (row for row in run.results if row.evaluator == "zero_shot" and row.kind == "pretrained")
    assert found.value == pytest.approx((predicted == image.labels_N.numpy()).mean())
    assert found.n == 40


def test_results_say_what_was_compared_and_have_the_untrained_model_beside(run):
    rows = json.loads((run.path / "results.json").read_text())["results"]
    across = [row for row in rows if "projections_of" in row["protocol"]]
    assert {(row["evaluator"], row["kind"]) for row in across} == {
        (evaluator, kind) for evaluator in ("retrieval", "zero_shot") for kind in ("pretrained", "untrained")
    }
    assert {tuple(row["protocol"]["projections_of"]) for row in across} == {("image", "text")}
    found = next(row["protocol"] for row in across if row["evaluator"] == "retrieval")
    assert (found["query"], found["gallery"], found["similarity"]) == ("text", "image", "cosine")
    within = [row for row in rows if row not in across]
    assert {row["kind"] for row in within} == {"pretrained", "untrained", "raw"}
    assert {row["protocol"]["modality"] for row in within} == {"image"}
    assert "zero_shot" in (run.path / "report.html").read_text()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            'use = "zero_shot"\nof = "image"\nby = "text"',
            "zero_shot compares image and text .* no encoder of text, only of image",
        ),
        ('use = "retrieval"\nquery = "sound"\ngallery = "text"', "no encoder of sound and text, only of image"),
    ],
)
def test_a_recipe_of_one_modality_is_refused(write_recipe, small_recipe, table, message):
    text = f"{small_recipe}\n[[evaluate]]\n{table}\n"
    line = 1 + text.splitlines().index(table.splitlines()[0])
    with pytest.raises(coview.RecipeError, match=rf"recipe\.toml:{line}: evaluate\.1\.use: .*{message}"):
        coview.load_recipe(write_recipe(text))


def test_names_of_other_data_need_no_texts(write_recipe, registry, run):
    table = [{"use": "zero_shot", "of": "image", "by": "text", "data": {"use": "digits"}}]
    path = write_recipe(RECIPE)
    coview.load_recipe(path, registry=registry, overrides={"evaluate": table})
    across = [{"use": "retrieval", "query": "text", "gallery": "image", "data": {"use": "digits"}}]
    message = r'"digits" has image, and the evaluator compares text and image'
    with pytest.raises(coview.RecipeError, match=message):
        coview.load_recipe(path, registry=registry, overrides={"evaluate": across})


def test_data_without_classes_are_left_out_by_name(write_recipe, registry, monkeypatch, tmp_path):
    monkeypatch.setattr(CaptionedDigits, "classes", None)
    recipe = coview.load_recipe(
        write_recipe(RECIPE + '\n[[evaluate]]\nuse = "zero_shot"\nof = "image"\nby = "text"\n'), registry=registry
    )
    found = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    document = json.loads((found.path / "results.json").read_text())
    assert document["skipped_evaluators"] == [{"evaluator": "zero_shot", "reason": "the data has no class labels"}]


def test_each_modality_starts_from_weights_of_its_own(write_recipe, tmp_path, registry):
    from coview.data.building import build_split
    from coview.experiment.start import start_weights
    from coview.model.topology import build_topology

    text = RECIPE.replace("steps = 4", "steps = 1")
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    weights = load_file(run.path / "checkpoints/step-1/weights.safetensors")

    def started(tables):
        recipe = coview.load_recipe(write_recipe(text.replace("seed = 1", "seed = 2") + tables), registry=registry)
        student = build_topology(
            recipe, registry, build_split(recipe, "train", registry),
            start=start_weights(recipe, registry),
        ).student.state_dict()  # fmt: skip
        return {
            name
            for name in ("image", "text")
            if all(
                torch.equal(tensor, weights[f"student.{key}"])
                for key, tensor in student.items()
                if key.startswith(f"towers.{name}.encoder.") and isinstance(tensor, torch.Tensor)
            )
        }

    one = f'\n[start.text]\nrun = "{run.path}"\n'
    assert started(one) == {"text"}
    assert started(one + f'\n[start.image]\ncheckpoint = "{run.path}/checkpoints/step-1"\n') == {"image", "text"}
    with pytest.raises(coview.RecipeError, match=r"start: the views are of image and text: give a table for each"):
        started(f'\n[start]\nrun = "{run.path}"\n')
