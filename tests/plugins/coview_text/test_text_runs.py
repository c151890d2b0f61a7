"""Whole runs on texts: the recipes are valid, and a small one trains, resumes, embeds and exports."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import coview
from conftest import RECIPES
from coview.experiment.trial import try_out

SHIPPED = sorted((RECIPES / "text").glob("*.toml"))

RECIPE = """\
schema = 1
name = "texts"
seed = 2

[data]
use = "text_table"
path = "{path}"
label = "kind"
workers = {workers}

[[augment]]
use = "token_cropping"

[[augment]]
use = "nlpaug:KeyboardAug"

[[augment]]
use = "token_cutoff"

[encoder]
use = "text_transformer"
vocabulary = 400
width = 32
layers = 1
heads = 2
max_length = 24

[projector]
hidden = 32
width = 16

[teacher]
momentum = 0.9

[loss]
use = "nt_xent"

[optimizer]
use = "adamw"
lr = 2e-3

[train]
steps = 8
batch_size = 16
precision = "fp32"
device = "cpu"
checkpoint_every = 4

[[evaluate]]
use = "knn"
k = 3
"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_recipes_are_valid(path, registry):
    recipe = coview.load_recipe(path, registry=registry)
    assert recipe.modalities == ("text",)


def test_the_recipe_that_needs_no_download_can_be_built(registry):
    recipe = coview.load_recipe(RECIPES / "text" / "scipy-docs.toml", registry=registry)
    assert "projections 2 × 4 × 64" in try_out(recipe, registry)


def test_a_run_from_texts_to_an_exported_encoder(write_recipe, two_topics, registry, tmp_path):
    found = []
    for workers in (0, 2):
        path = write_recipe(RECIPE.format(path=two_topics, workers=workers))
        run = coview.run(
            coview.load_recipe(path, registry=registry), tmp_path / f"runs{workers}", registry=registry, quiet=True
        )
        found.append(coview.embed(run))
    assert torch.equal(*found), "the number of loader processes does not matter"
    features = {result.kind: result for result in run.results if result.metric == "accuracy"}
    assert set(features) == {"pretrained", "untrained", "raw"}
    assert features["raw"].value > 0.9
    loaded = coview.load_run(run.path, registry=registry)
    assert torch.equal(coview.embed(loaded), found[0])
    _, lines = coview.export(loaded, out=tmp_path / "export")
    dataset = registry.build("dataset", "text_table", supplied={"split": "test"}, path=str(two_topics), label="kind")
    scope = {"texts": [dataset[index]["text"] for index in range(len(dataset))]}
    with torch.no_grad():
        exec(lines, scope)
    assert torch.allclose(scope["features"], found[0], atol=1e-5)
    _, lines = coview.export(loaded, to="sentence-transformers")
    exec(lines, scope)
    assert torch.allclose(scope["features"].cpu(), found[0], atol=1e-5)
    assert "**" in preview_of(run.path), "the previews mark what differs"


def test_mteb_takes_what_is_exported(write_recipe, two_topics, registry, tmp_path):
    mteb = pytest.importorskip("mteb", reason="mteb is not installed")
    from datasets import Dataset
    from mteb.models import SentenceTransformerEncoderWrapper
    from torch.utils.data import DataLoader

    recipe = coview.load_recipe(write_recipe(RECIPE.format(path=two_topics, workers=0)), registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    folder, _ = coview.export(run, to="sentence-transformers")
    model = SentenceTransformerEncoderWrapper(str(folder), device="cpu")
    dataset = registry.build("dataset", "text_table", supplied={"split": "test"}, path=str(two_topics), label="kind")
    texts = Dataset.from_dict({"text": [dataset[index]["text"] for index in range(len(dataset))]})
    task = mteb.get_task("Banking77Classification").metadata
    found = model.encode(DataLoader(texts, batch_size=4), task_metadata=task, hf_split="test", hf_subset="default")
    assert torch.allclose(torch.as_tensor(found).cpu(), coview.embed(run), atol=1e-5)


def preview_of(path: Path) -> str:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path / "tensorboard")).Reload()
    tags = [tag for tag in events.Tags()["tensors"] if "view" in tag]
    return events.Tensors(tags[0])[0].tensor_proto.string_val[0].decode()
