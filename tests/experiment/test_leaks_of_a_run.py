"""A run whose test split repeats its train split says so wherever its numbers are read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from other_data import KNN_ELSEWHERE
from PIL import Image

import coview


@pytest.fixture
def repeated(tmp_path):
    """Pictures of two classes, each twice under two names."""
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(15):
            pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            for copy in ("one", "two"):
                Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{index}-{copy}.png")
    return tmp_path / "pictures"


def test_it_is_warned_of_written_down_and_on_the_page(call, write_recipe, small_recipe, repeated, registry):
    recipe = write_recipe(small_recipe + KNN_ELSEWHERE.format(root=repeated))
    done = call("run", recipe)
    assert done.status == 0, done.err
    splits = {
        split: registry.build("dataset", "image_folder", root=str(repeated), supplied={"split": split})
        for split in ("train", "test")
    }
    in_train = {splits["train"][i]["image"].tobytes() for i in range(len(splits["train"]))}
    again = [splits["test"][i].id for i in range(12) if splits["test"][i]["image"].tobytes() in in_train]
    assert len(splits["test"]) == 12
    assert len(again) > 3
    said = f"of 12 test samples {len(again)} are in train too"
    assert f"warning: image_folder: {said}\n" in done.err
    path = next((repeated.parent / "runs").glob("*/*/results.json"))
    by_data = {found["data"]: found for found in json.loads(path.read_text())["leaks"]}
    assert set(by_data) == {"digits", "image_folder"}
    found = by_data["image_folder"]
    assert (found["train"], found["test"], found["exact"], found["near"]) == (48, 12, len(again), 0)
    assert found["said"] == said
    assert {example["test"] for example in found["examples"]} <= set(again)
    for example in found["examples"]:  # the other copy of it
        one, other = sorted([example["test"], example["train"]])
        assert (one.replace("-one", ""), other.replace("-two", "")) == (one.split("-")[0] + ".png",) * 2
    assert by_data["digits"]["exact"] == 0
    page = (path.parent / "report.html").read_text()
    assert f"Train and test of image_folder overlap: {said}." in page
    assert "Train and test of digits" not in page


def test_two_data_sets_of_one_name_are_told_apart(own_run, repeated):
    single = repeated.parent / "single"
    for name in ("a", "b"):
        (single / name).mkdir(parents=True)
        for path in (repeated / name).glob("*-one.png"):
            (single / name / path.name).write_bytes(path.read_bytes())
    tables = [{"use": "knn", "k": 1, "data": {"use": "image_folder", "root": str(root)}} for root in (repeated, single)]
    coview.evaluate_run(own_run, overrides={"evaluate": tables}, quiet=True)
    found = json.loads((own_run.path / "results.json").read_text())["leaks"]
    assert [leak["data"] for leak in found] == ["digits", "image_folder", "image_folder"]
    assert found[1]["exact"] > 0
    assert found[2]["exact"] == 0


def test_an_evaluation_by_another_protocol_keeps_what_was_found(own_run):
    before = json.loads((own_run.path / "results.json").read_text())["leaks"]
    assert [found["data"] for found in before] == ["digits"]
    coview.evaluate_run(own_run, overrides={"evaluate": [{"use": "geometry"}]}, quiet=True)
    assert json.loads((own_run.path / "results.json").read_text())["leaks"] == before
