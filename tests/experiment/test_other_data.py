"""Evaluators that look at other data than the run was trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from other_data import KNN_ELSEWHERE
from PIL import Image

import coview


@pytest.fixture
def squares(tmp_path):
    """Pictures whose upper or left half is bright, 20 of each, of the digits' size."""
    generator = np.random.default_rng(0)
    for name, half in (("upper", np.s_[:4]), ("left", np.s_[:, :4])):
        (tmp_path / "squares" / name).mkdir(parents=True)
        for index in range(20):
            pixels = generator.integers(0, 60, (8, 8), dtype=np.uint8)
            pixels[half] += 150
            Image.fromarray(pixels).convert("RGB").save(tmp_path / "squares" / name / f"{index}.png")
    return tmp_path / "squares"


def test_it_is_measured_beside_the_runs_own(write_recipe, small_recipe, squares, tmp_path):
    recipe = coview.load_recipe(write_recipe(small_recipe + KNN_ELSEWHERE.format(root=squares)))
    run = coview.run(recipe, tmp_path / "runs", quiet=True)
    document = json.loads((run.path / "results.json").read_text())
    by_data = {}
    for row in document["results"]:
        by_data.setdefault(row["dataset"], []).append(row)
    assert set(by_data) == {"digits", "image_folder"}
    assert [row["kind"] for row in by_data["image_folder"]] == ["pretrained", "untrained", "raw"]
    assert {row["n"] for row in by_data["image_folder"]} == {8}  # a fifth of 40
    raw = by_data["image_folder"][2]
    assert raw["value"] == 1.0  # by their pixels nothing is easier
    assert {"use": "image_folder", "root": str(squares)}.items() <= raw["protocol"]["data"].items()
    coview.evaluate_run(run.path, quiet=True)  # by the recipe that it keeps, in which every default is written out
    again = json.loads((run.path / "results.json").read_text())["results"]
    assert [row["protocol_hash"] for row in again] == [row["protocol_hash"] for row in document["results"]]
    assert "data" not in by_data["digits"][0]["protocol"]
    assert [other["name"] for other in document["other_datasets"]] == ["image_folder"]
    assert document["dataset"]["name"] == "digits"
    # embedded once, in a folder of its own
    folders = [path for path in (run.path / "features").iterdir() if path.name.startswith("image_folder-")]
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [
        ["pretrained-step-6", "raw", "untrained"]
    ]


def test_a_finished_run_can_be_measured_on_other_data(write_recipe, small_recipe, squares, tmp_path):
    run = coview.run(coview.load_recipe(write_recipe(small_recipe)), tmp_path / "runs", quiet=True)
    before = len(run.results)
    table = [{"use": "knn", "k": 3, "data": {"use": "image_folder", "root": str(squares)}}]
    again = coview.evaluate_run(run, overrides={"evaluate": table}, quiet=True)
    assert len(again.results) == before + 3
    assert {result.dataset for result in again.results} == {"digits", "image_folder"}


def test_other_data_changes_the_recipes_hash_and_its_absence_does_not(write_recipe, small_recipe, squares):
    plain = coview.load_recipe(write_recipe(small_recipe))
    with_data = coview.load_recipe(write_recipe(small_recipe + KNN_ELSEWHERE.format(root=squares)))
    assert "data" not in plain.tables["evaluate"][0]
    assert plain.hash != with_data.hash


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            '{ use = "text_lines", path = "x.txt" }',
            r':34: evaluate\.1\.data\.use: "text_lines" has text, and the encoder takes',
        ),
        ('{ use = "digit" }', r':34: evaluate\.1\.data\.use: unknown dataset "digit", did you mean "digits"'),
        ('{ use = "digits", view = 2 }', r":34: evaluate\.1\.data\.view: unknown key"),
        ('"digits"', r":34: evaluate\.1\.data: has to be a table"),
    ],
)
def test_mistakes_in_it_have_a_line(write_recipe, small_recipe, data, message):
    text = small_recipe.rstrip() + '\n\n[[evaluate]]\nuse = "knn"\n'
    line = len(text.splitlines()) + 1
    with pytest.raises(coview.RecipeError, match=message.replace(":34:", f":{line}:")):
        coview.load_recipe(write_recipe(text + f"data = {data}\n"))


def test_data_that_is_not_there_is_said_before_training(write_recipe, small_recipe, tmp_path):
    recipe = coview.load_recipe(write_recipe(small_recipe + KNN_ELSEWHERE.format(root=tmp_path / "nowhere")))
    with pytest.raises(coview.CoviewError, match=r"evaluate\.1\.data\.root: image folder .*nowhere: there is no such"):
        coview.run(recipe, tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()
