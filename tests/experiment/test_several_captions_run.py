"""A run on pictures of which some have several captions: any caption of a picture is right, and each is searched."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.torch import load_file
from sklearn.metrics.pairwise import cosine_similarity

import coview
from coview.experiment.splits import Splits
from triples import RECIPE, registry

EVALUATE = """
[[evaluate]]
use = "retrieval"
between = ["picture", "caption"]
k = [1, 5]

[[evaluate]]
use = "knn"
modality = "caption"
k = 3
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    (folder / "recipe.toml").write_text(RECIPE.replace('use = "triples"', 'use = "captions"') + EVALUATE)
    recipe = coview.load_recipe(folder / "recipe.toml", registry=registry())
    return coview.run(recipe, folder / "runs", registry=registry(), quiet=True)


def projected(run, modality):
    (path,) = (run.path / "features").glob(f"pretrained*-projected-{modality}/test.safetensors")
    kept = load_file(path)
    return kept["x_ND"].numpy(), kept["ids_N"].numpy()


def ranks(query, gallery):
    """Of each query, from 1, the rank of the first of the gallery that is of the same sample."""
    (x_QD, ids_Q), (x_ND, ids_N) = query, gallery
    similarity = cosine_similarity(x_QD, x_ND)
    best = np.array([similarity[q, ids_N == of].max() for q, of in enumerate(ids_Q)])
    return 1 + (similarity > best[:, None]).sum(1)


def test_any_caption_of_a_picture_is_right(run):
    pictures, captions = projected(run, "picture"), projected(run, "caption")
    assert len(pictures[1]) == 60
    assert captions[1].tolist() == [1000 + row for row in range(60) for _ in range(1 + row % 4)]
    for of, query, gallery in (("picture-to-caption", pictures, captions), ("caption-to-picture", captions, pictures)):
        expected = ranks(query, gallery)
        for k in (1, 5):
            (row,) = (row for row in run.results if (row.of, row.metric, row.kind) == (of, f"recall@{k}", "pretrained"))
            assert row.value == pytest.approx((expected <= k).mean())
            assert row.n == len(query[1])
    knn = next(row for row in run.results if row.evaluator == "knn")
    assert knn.n == 150
    assert knn.groups == 60


def test_what_there_is_of_captions_is_said(run):
    splits = Splits(run.recipe, registry())
    assert len(splits.training) == 60
    assert (
        "45 of 60 train samples have several values of caption, up to 4: each epoch of training draws one, and an "
        "evaluation has all of them" in splits.notes
    )
