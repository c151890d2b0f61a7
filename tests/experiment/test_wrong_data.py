"""Data that breaks its promises is refused before a run trains on it, or else when the row is read that does so."""

from __future__ import annotations

import json
import multiprocessing
import re
from dataclasses import replace

import numpy as np
import pytest

import coview
from coview.experiment.augmentation.measure import measure_augmentations
from coview.experiment.augmentation.preview import write_preview
from coview.experiment.trial import try_out

RECIPE = """\
schema = 1
name = "small"
seed = 3

[data]
use = "pictures"
workers = {workers}
{data}

[[augment]]
use = "random_resized_crop"
size = 8

[encoder]
use = "resnet18"
stem = "small"
width = 8

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
epochs = 2
batch_size = 10
precision = "fp32"
device = "cpu"
checkpoint_every = 100

[[evaluate]]
use = "knn"
k = 3
"""


class Pictures:
    """Forty pictures a split, one of which may be wrong: row 21, which is none of the eight that a run tries."""

    splits = ("train", "test")
    modalities = ("image",)
    classes = ("dark", "bright")
    citation, licence, version = "none", "CC0", "1"

    def __init__(self, *, split: str = "train", wrong: str = "", row: int = 21, at: str = "train") -> None:
        self.wrong = wrong if split == at else ""
        self.row = row
        self.readings = 0

    def __len__(self):
        return 40

    def __getitem__(self, index):
        picture = np.full((8, 8, 3), 6 * index, np.uint8)
        given = {"id": index, "label": index % 2}
        if index == self.row and self.wrong:
            self.readings += 1
            given |= {
                "duplicate": {"id": 3},
                "changing": {"id": 100 + self.readings},
                "negative": {"id": -5},
                "label": {"label": 2},
                "name": {"label": "dark"},
                "group": {"group": 0.5},
                "score": {"score": "high"},
                "nothing": {},
            }[self.wrong]
        values = {} if self.wrong == "nothing" and index == self.row else {"image": picture}
        return coview.Sample(values, **given)


class KnownPictures(Pictures):
    @property
    def ids(self):
        return [3 if row == self.row and self.wrong == "duplicate" else row for row in range(40)]


SAYS = {
    "negative": "its id is the int -5, and has to be a text, or a whole number from 0",
    "label": "its label is 2, and has to be from 0 to 1, as there are 2 classes",
    "name": "its label is the str 'dark', and has to be a whole number",
    "group": "its group is the float 0.5, and has to be",
    "score": "its score is the str 'high', and has to be",
    "nothing": "it has no value of image (has none)",
}


@pytest.fixture
def with_pictures(registry):
    added = coview.Registrar("test")
    added.dataset("pictures", f"{__name__}:Pictures", summary="forty")
    added.dataset("known_pictures", f"{__name__}:KnownPictures", summary="forty, of known ids")
    return registry.plus(added)


@pytest.fixture
def read(write_recipe, with_pictures):
    def read(workers=0, use="pictures", **parameters):
        data = "\n".join(f"{key} = {json.dumps(value)}" for key, value in parameters.items())
        text = RECIPE.format(workers=workers, data=data).replace('"pictures"', f'"{use}"')
        return coview.load_recipe(write_recipe(text), registry=with_pictures)

    return read


def refused(recipe, registry, out):
    with pytest.raises(coview.CoviewError) as caught:
        coview.run(recipe, out, registry=registry, quiet=True)
    return caught.value.message


@pytest.mark.parametrize("at", ["train", "test"])
@pytest.mark.parametrize("wrong", SAYS)
def test_a_row_that_is_tried_is_refused_with_the_line_of_the_recipe(read, with_pictures, tmp_path, wrong, at):
    recipe = read(wrong=wrong, at=at, row=39)
    where = f'recipe.toml:6: data.use: "pictures", the {at} split: row 39: {SAYS[wrong]}'
    assert where in refused(recipe, with_pictures, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(coview.CoviewError) as caught:
        try_out(recipe, with_pictures)
    assert where in caught.value.message


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("wrong", SAYS)
def test_a_row_that_is_not_tried_is_named_when_it_is_read(read, with_pictures, tmp_path, wrong, workers):
    message = refused(read(wrong=wrong, workers=workers), with_pictures, tmp_path / "runs")
    assert message.startswith(f"row 21 of Pictures: {SAYS[wrong]}")


@pytest.mark.parametrize("workers", [0, 2])
def test_two_rows_of_one_id_are_named_in_the_first_epoch(read, with_pictures, tmp_path, workers):
    message = refused(read(wrong="duplicate", workers=workers), with_pictures, tmp_path / "runs")
    assert message == 'data "pictures": the train split: rows 3 and 21 have the same id'
    (run,) = (tmp_path / "runs" / "small").glob("*") if (tmp_path / "runs").exists() else (None,)
    assert run is None or not list(run.glob("checkpoints/step-*"))


@pytest.mark.parametrize("at", ["train", "test"])
def test_no_loader_process_outlives_the_mistake(read, with_pictures, tmp_path, at):
    """Also while the traceback is kept, as a notebook keeps it."""
    with pytest.raises(coview.CoviewError, match="have the same id") as caught:
        coview.run(read(wrong="duplicate", workers=2, at=at), tmp_path / "runs", registry=with_pictures, quiet=True)
    assert multiprocessing.active_children() == []
    assert caught.tb is not None


def test_they_are_refused_ahead_where_the_data_knows_its_ids(read, with_pictures, tmp_path):
    message = refused(read(use="known_pictures", wrong="duplicate"), with_pictures, tmp_path / "runs")
    assert "recipe.toml:6: data.use: " in message
    assert "the train split: rows 3 and 21 have the same id, 3; each has to have its own" in message
    assert not (tmp_path / "runs").exists()


def test_they_are_named_when_a_split_is_embedded(read, with_pictures, tmp_path):
    message = refused(read(wrong="duplicate", at="test"), with_pictures, tmp_path / "runs")
    assert message == 'knn: data "pictures": the test split: rows 3 and 21 have the same id'
    good = coview.run(read(), tmp_path / "good", registry=with_pictures, quiet=True)
    with pytest.raises(coview.CoviewError, match="the test split: rows 3 and 21 have the same id"):
        coview.embed(good, Pictures(split="test", wrong="duplicate", at="test"))


def test_an_id_that_changes_is_named_in_the_second_epoch(read, with_pictures, tmp_path):
    message = refused(read(wrong="changing", keep_gb=0), with_pictures, tmp_path / "runs")  # each epoch reads it anew
    assert message == 'data "pictures": the train split: row 21 has a different id than when it was read before'


@pytest.mark.parametrize("wrong", ["label", "nothing"])
def test_what_shows_measures_or_embeds_it_refuses_it_too(read, with_pictures, tmp_path, wrong):
    recipe, says = read(wrong=wrong, row=39), rf'"pictures", the train split: row 39: {re.escape(SAYS[wrong])}'
    with pytest.raises(coview.CoviewError, match=says):
        write_preview(recipe, with_pictures, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
    with pytest.raises(coview.CoviewError, match=says):
        measure_augmentations(recipe, with_pictures)
    good = coview.run(read(), tmp_path / "good", registry=with_pictures, quiet=True)
    with pytest.raises(coview.CoviewError, match=says):
        coview.embed(replace(good, recipe=recipe), split="train")
