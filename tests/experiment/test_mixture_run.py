"""Whole runs on a mixture, and what is refused of one before a folder is made."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import coview

MIXED = """\
[[data]]
use = "digits"
workers = 0
weight = 3

[[data]]
use = "image_folder"
root = "own"
weight = 1
"""


def of_mixture(small, data=MIXED):
    """The small recipe on a mixture."""
    before, _, after = small.partition('[data]\nuse = "digits"\nworkers = 0\n')
    return before + data + after


@pytest.fixture
def own(tmp_path):
    """A hundred pictures, of which eighty are trained on."""
    rng = np.random.default_rng(0)
    for label in ("3", "cat"):
        folder = tmp_path / "own" / label
        folder.mkdir(parents=True)
        for number in range(50):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def mixed(write_recipe, small_recipe, own):
    return write_recipe(of_mixture(small_recipe))


def only(folder):
    (run,) = folder.iterdir()
    return run


def weights(run, step=20):
    return load_file(run / f"checkpoints/step-{step}/weights.safetensors")


def test_a_run_says_what_an_epoch_is_and_measures_on_the_first_set(mixed, call, tmp_path):
    done = call("recipe", "check", "--build", mixed)
    assert ", 1,517 samples, 320 in an epoch, 6 steps, " in done.out
    done = call("run", mixed, "--set", "train.steps=20")
    assert done.status == 0, done.err
    assert "an epoch has 320 samples: 240 of 1,437 of digits (75%), 80 of 80 of image_folder (25%)" in done.err
    run = only(tmp_path / "runs/small")
    environment = json.loads((run / "environment.json").read_text())
    assert environment["data"]["use"] == "digits + image_folder"
    assert {"dataset image/digits", "dataset image/image_folder"} <= set(environment["code"])
    results = json.loads((run / "results.json").read_text())["results"]
    assert {(row["dataset"], row["n"]) for row in results} == {("digits", 360)}
    epochs = [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert epochs[-1] == 1, "20 steps of 32 are two epochs of ten batches"


def test_workers_and_a_resume_in_mid_epoch_end_with_the_same_weights(mixed, call, tmp_path):
    sets = ["--set", "train.steps=20", "--set", "train.checkpoint_every=7"]
    assert call("run", mixed, *sets, "--out", "a").status == 0
    assert call("run", mixed, *sets, "--out", "b", "--set", "data.workers=2").status == 0
    shutil.copytree(tmp_path / "a", tmp_path / "c", symlinks=True)
    cut = only(tmp_path / "c/small")
    shutil.rmtree(cut / "checkpoints/step-20")
    environment = json.loads((cut / "environment.json").read_text())
    (cut / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    done = call("run", mixed, *sets, "--out", "c", "--resume")
    assert "goes on from step 14 of 20" in done.err
    one, *others = (weights(only(tmp_path / name / "small")) for name in "abc")
    assert all(tensor.equal(other[key]) for other in others for key, tensor in one.items())


def test_a_run_is_evaluated_embedded_and_told_where_its_data_are_now(mixed, call, tmp_path):
    assert call("run", mixed).status == 0
    run = only(tmp_path / "runs/small")
    before = coview.load_run(run).recipe
    assert coview.load_recipe(run / "recipe.toml").hash == before.hash
    (tmp_path / "own").rename(tmp_path / "moved")
    done = call("evaluate", run)
    assert (done.status, "--set data.1.root=PATH" in done.err) == (2, True), done.err
    done = call("evaluate", run, "--set", "data.1.root=moved")
    assert done.status == 0, done.err
    assert "data.1.root is " in done.err
    assert coview.embed(coview.load_run(run)).shape[0] == 360


def test_losses_with_labels_see_classes_of_one_name_as_one(write_recipe, small_recipe, own, call):
    recipe = write_recipe(of_mixture(small_recipe).replace('use = "nt_xent"', 'use = "sup_con"'))
    assert call("recipe", "check", "--build", recipe).status == 0


def test_a_set_without_classes_is_refused_by_a_loss_that_needs_them(write_recipe, small_recipe, tmp_path, call):
    folder = tmp_path / "plain"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(np.full((8, 8, 3), number, dtype=np.uint8)).save(folder / f"{number}.png")
    data = MIXED.replace('root = "own"', 'root = "plain"')
    text = of_mixture(small_recipe, data)
    done = call("recipe", "check", "--build", write_recipe(text))
    assert done.status == 0, done.err
    done = call("run", write_recipe(text.replace('use = "nt_xent"', 'use = "sup_con"')))
    line = 1 + text[: text.index('use = "nt_xent"')].count("\n")
    expected = (
        f'recipe.toml:{line}: loss.use: sup_con needs class labels, and the data "digits" and "image_folder" has none'
    )
    assert expected in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("weight = 1", "weight = 0", 13, "data.1.weight: has to be greater than 0"),
        ("weight = 1", "weight = -1", 13, "data.1.weight: has to be greater than 0"),
        ("weight = 1", "weight = 0.0001", 13, 'none of the 80 samples of "image_folder" comes in an epoch of 1,437'),
        ("weight = 1\n", "", 10, "weight is missing, and [[data]] number 1 has one"),
        ("weight = 3\n", "", 5, "weight is missing, and [[data]] number 2 has one"),
        ('root = "own"', 'root = "own"\nviews = 3', 13, "data.1.views: holds for all data sets of a mixture"),
        ('use = "image_folder"\nroot = "own"', 'use = "digits"', 11, "data.1.use: is [[data]] number 1 again"),
        ('use = "image_folder"\nroot = "own"', 'use = "scipy_docs"', 11, "has text, and the first [[data]] has image"),
        ('root = "own"', 'root = "nowhere"', 12, "data.1.root: "),
    ],
)  # fmt: skip
def test_what_cannot_be_mixed_is_refused_in_one_line(
    write_recipe, small_recipe, own, call, tmp_path, before, after, line, said
):
    text = of_mixture(small_recipe)
    assert before in text
    done = call("run", write_recipe(text.replace(before, after)))
    assert done.status == 2
    first = done.err.splitlines()[0]
    assert re.search(rf"recipe\.toml:{line}: ", first), done.err
    assert said in first
    assert not (tmp_path / "runs").exists()


def test_a_run_too_short_for_a_set_is_refused(write_recipe, small_recipe, own, call, tmp_path):
    text = of_mixture(small_recipe).replace("weight = 1", "weight = 0.005").replace("batch_size = 32", "batch_size = 4")
    done = call("run", write_recipe(text), "--set", "train.steps=1")
    assert done.status == 2
    assert 'recipe.toml:13: data.1.weight: no sample of "image_folder" comes in the whole run' in done.err
    assert not (tmp_path / "runs").exists()


def test_a_batch_larger_than_an_epoch_is_refused(mixed, call):
    done = call("run", mixed, "--set", "train.batch_size=500")
    assert "a batch of 500 is more than the 320 training samples of an epoch of the mixture" in done.err


# ---- recipes ------------------------------------------------------------------------------------------------------------


def test_one_data_set_in_an_array_is_the_recipe_with_a_table(write_recipe, small_recipe, registry):
    plain = coview.load_recipe(write_recipe(small_recipe), registry=registry)
    one = coview.load_recipe(write_recipe(small_recipe.replace("[data]", "[[data]]"), "one.toml"), registry=registry)
    assert (one.hash, one.warnings) == (plain.hash, ())
    text = small_recipe.replace("[data]", "[data]\nweight = 2")
    weighted = coview.load_recipe(write_recipe(text, "weighted.toml"), registry=registry)
    assert weighted.hash == plain.hash
    assert weighted.warnings[0].endswith("weighted.toml:6: weight has no effect on a single data set")


def test_settings_of_a_parent_hold_for_several_in_place_of_one(write_recipe, small_recipe, own, registry):
    write_recipe(small_recipe.replace("workers = 0", "workers = 0\nviews = 3"), "parent.toml")
    child = 'schema = 1\nextends = "parent.toml"\n' + MIXED.replace("workers = 0\n", "")
    recipe = coview.load_recipe(write_recipe(child, "child.toml"), registry=registry)
    assert [table.get("views") for table in recipe.tables["data"]] == [3, None]
    assert recipe.view_modalities == ("image",) * 3
    assert recipe.where("data", 0, "views").endswith("parent.toml:8: data.0.views")
    back = write_recipe('schema = 1\nextends = "child.toml"\n[data]\nuse = "digits"\n', "back.toml")
    assert coview.load_recipe(back, registry=registry).tables["data"]["views"] == 3


def test_overrides_reach_into_a_mixture(mixed, registry):
    def tables(*sets):
        return coview.load_recipe(mixed, sets=sets, registry=registry).tables["data"]

    assert tables("data.workers=3", "data.views=4")[0]["workers"] == 3
    assert tables("data.0.weight=2")[0]["weight"] == 2.0
    assert tables("data.1.root=elsewhere")[1]["root"] == "elsewhere"
    assert tables("data.use=digits")["use"] == "digits"
    assert coview.load_recipe(mixed, sets=["data.workers=3"], registry=registry).hash == (
        coview.load_recipe(mixed, registry=registry).hash
    )
    assert coview.load_recipe(mixed, sets=["data.0.weight=2"], registry=registry).hash != (
        coview.load_recipe(mixed, registry=registry).hash
    )
    with pytest.raises(coview.RecipeError, match=r"several \[\[data\]\]: say which is meant, such as data\.0\.root"):
        tables("data.root=elsewhere")


def test_weights_can_be_swept_over(mixed, registry):
    from coview.recipe.load import load_cells

    recipe = coview.load_recipe(mixed, overrides={"sweep.grid": {"data.1.weight": [1, 2]}}, registry=registry)
    assert [cell.tables["data"][1]["weight"] for _, cell in load_cells(recipe, registry)] == [1.0, 2.0]
