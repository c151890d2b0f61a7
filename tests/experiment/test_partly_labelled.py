"""Runs on data of which some has no class, or no raw control: all is trained on, and what can be measured is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import coview

ROWS = 60
"""Of ten groups; every third has no class."""


class Hits:
    """An evaluator that knows no groups: one of each two items is right."""

    splits = ("test",)
    labels = "class"

    def __call__(self, features, rng):
        hits = np.arange(len(features["test"])) % 2.0
        return [coview.Result("hits", hits.mean(), 0.0, 1.0, len(hits), "test", per_item=hits)]


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    lines = ["path,label,who,part"]
    for row in range(ROWS):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"pictures/{row}.png")
        label = "" if row % 3 == 0 else "ab"[row % 2]
        lines.append(f"{row}.png,{label},g{row % 10},{'test' if row % 10 < 4 else 'train'}")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path


def test_all_rows_are_trained_on_and_those_with_a_class_measured_in_their_groups(
    pictures, write_recipe, small_recipe, registry, monkeypatch
):
    added = coview.Registrar("test")
    added.evaluator("hits", f"{__name__}:Hits", summary="every other one")
    registry = registry.plus(added)
    monkeypatch.chdir(pictures)
    data = 'use = "image_folder"\nroot = "pictures"\nlabels = "rows.csv"\ngroup_column = "who"\nsplit_column = "part"'
    text = small_recipe.replace('use = "digits"', data).replace("batch_size = 32", "batch_size = 8")
    recipe = coview.load_recipe(
        write_recipe(text.replace("steps = 6", "steps = 2") + '\n[[evaluate]]\nuse = "hits"\n'), registry=registry
    )
    run = coview.run(recipe, pictures / "runs", registry=registry, quiet=True)
    tested = [row for row in range(ROWS) if row % 10 < 4]
    measured = [row for row in tested if row % 3]
    results = [result for result in run.results if result.kind == "pretrained"]
    assert {result.n for result in results} == {len(measured)}
    (hits,) = (result for result in results if result.evaluator == "hits")
    (path,) = run.path.rglob(f"*{hits.protocol_hash}*groups*.npy")
    groups_N = np.load(path)
    assert len(groups_N) == len(measured)
    assert len(set(groups_N.tolist())) == 4
    train = coview.load_plugins().build(
        "dataset", "image_folder", supplied={"split": "train"}, root="pictures", labels="rows.csv",
        split_column="part",
    )  # fmt: skip
    assert len(train) == ROWS - len(tested)
    assert [train[row].label for row in range(len(train))] == [
        None if int(name.removesuffix(".png")) % 3 == 0 else int(name.removesuffix(".png")) % 2
        for name in (train[row].id for row in range(len(train)))
    ]


TEXTS = """\
schema = 1
name = "faces"
[data]
use = "text_table"
path = "t.csv"
label = "kind"
workers = 0
[[augment]]
use = "random_deletion"
[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2
max_length = 16
[projector]
hidden = 8
width = 8
[loss]
use = "nt_xent"
[optimizer]
use = "sgd"
lr = 0.001

[train]
steps = 2
batch_size = 4
precision = "fp32"
device = "cpu"
[[evaluate]]
use = "knn"
k = 3
"""


def test_texts_without_words_cost_the_raw_control_alone(write_recipe, call, tmp_path):
    rng = np.random.default_rng(0)
    faces = ["".join(rng.choice(list("😀😁😂🤣😃😄😅😆"), 6)) for _ in range(40)]
    (tmp_path / "t.csv").write_text("text,kind\n" + "".join(f"{face},{'ab'[i % 2]}\n" for i, face in enumerate(faces)))
    done = call("run", write_recipe(TEXTS), "--out", "runs")
    assert done.status == 0
    assert "warning: knn is left out for the control raw: the raw features cannot be made" in done.err
    (file,) = (tmp_path / "runs").rglob("results.json")
    found = json.loads(file.read_text())
    assert {row["kind"] for row in found["results"]} == {"pretrained", "untrained"}
    assert [row["evaluator"] for row in found["skipped_evaluators"]] == ["knn, raw control"]
