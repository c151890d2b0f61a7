"""A run is evaluated, embedded and exported from any folder, and told where its data are now."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import coview

RECIPE = """\
schema = 1
name = "small"

[data]
use = "image_folder"
root = "pix"
workers = 0

[[augment]]
use = "random_resized_crop"
size = 8

[encoder]
use = "resnet18"
stem = "small"
width = 2

[projector]
hidden = 8
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 2
batch_size = 8
precision = "fp32"
device = "cpu"

[[evaluate]]
use = "knn"
k = 5
"""


@pytest.fixture(scope="module")
def made(registry, tmp_path_factory):
    """A run of ``proj/recipe.toml`` on ``proj/pix``."""
    folder = tmp_path_factory.mktemp("pointed")
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / "proj/pix" / label).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "proj/pix" / label / f"{number}.png")
    (folder / "proj/recipe.toml").write_text(RECIPE)
    coview.run(coview.load_recipe(folder / "proj/recipe.toml", registry=registry), folder / "runs", registry=registry)
    return folder


@pytest.fixture
def moved(made, tmp_path):
    """A copy of it, whose data are in ``elsewhere`` and not where they were."""
    for name in ("runs", "proj"):
        shutil.copytree(made / name, tmp_path / name, symlinks=True)
    (path,) = (tmp_path / "runs/small").iterdir()
    recipe = path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace(str(made), str(tmp_path)))
    (tmp_path / "proj/pix").rename(tmp_path / "elsewhere")
    return path


def test_from_another_folder(made, call, tmp_path):
    """The test's folder is neither that of the recipe, nor that in which the run was made."""
    (path,) = (made / "runs/small").iterdir()
    done = call("embed", path, "--out", "x.npy")
    assert done.status == 0, done.err
    assert "the encoder did not run again" in done.err
    assert len(np.load(tmp_path / "x.npy")) == 10
    assert call("run", made / "proj/recipe.toml", "--out", made / "runs", "--resume").status == 0
    assert len(list((made / "runs/small").iterdir())) == 1


@pytest.mark.parametrize("command", [["evaluate"], ["embed", "--out", "x.npy"]])
def test_data_that_are_not_there(call, moved, tmp_path, command):
    done = call(command[0], moved, *command[1:])
    assert done.status == 2
    place = tmp_path / "proj/pix"
    assert f'data.root is "pix", relative to the folder that relative_to in {moved / "recipe.toml"} names' in done.err
    assert f"so it was looked for at {place}: point it elsewhere with --set data.root=PATH" in done.err


def test_by_which_rule_a_recipe_and_set_were_read(call, moved, tmp_path):
    done = call("run", "proj/recipe.toml")
    assert f'"pix", relative to the folder of proj/recipe.toml, so it was looked for at {tmp_path}/proj/pix' in done.err
    done = call("evaluate", moved, "--set", "data.root=nowhere")
    assert (
        f"relative to the current folder, as always for --set, so it was looked for at {tmp_path}/nowhere" in done.err
    )
    done = call("evaluate", moved, "--set", f"data.root={tmp_path}/nowhere")
    assert f"data.root is {tmp_path}/nowhere, which is not there: point it elsewhere" in done.err


def test_the_same_data_elsewhere(call, moved, tmp_path):
    before = json.loads((moved / "results.json").read_text())
    done = call("evaluate", moved, "--set", "data.root=elsewhere")
    assert done.status == 0
    assert f"data.root is {tmp_path}/elsewhere: the same data as {moved} was started with (48 files" in done.err
    assert "embedd" not in done.err  # what was kept is of these data
    after = json.loads((moved / "results.json").read_text())
    assert after["results"] == before["results"]
    assert after["recipe_hash"] == before["recipe_hash"]
    assert 'root = "pix"' in (moved / "recipe.toml").read_text()
    assert call("export", moved, "--to", "hf", "--set", "data.root=elsewhere").status == 0


def test_other_data_elsewhere_are_changed_data(call, moved, tmp_path):
    (tmp_path / "elsewhere/cat/3.png").unlink()
    done = call("evaluate", moved, "--set", "data.root=elsewhere")
    assert done.status == 0
    assert "warning: the data have changed since" in done.err
    assert "The encoder was trained on the data as they were" in done.err
    assert "the same data" not in done.err


@pytest.mark.parametrize("given", ["data.test_fraction=0.5", "data.use=digits", "seed=4"])
def test_nothing_else_can_be_changed(call, moved, given):
    done = call("evaluate", moved, "--set", given)
    assert done.status == 2
    assert "an evaluation can change only [[evaluate]], train.device and where the data are (data.root" in done.err
    done = call("export", moved, "--to", "hf", "--set", given)
    assert "an export can change only where the data are (data.root" in done.err
