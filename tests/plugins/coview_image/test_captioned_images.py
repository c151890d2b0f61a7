"""Pictures with captions: what is read of the table, how it is split, and that a recipe trains on it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import coview
from coview.data.dataset_checks import check_rows
from coview.experiment.trial import try_out
from coview_image.datasets.captioned_images import CaptionedImages

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "crossmodal"


@pytest.fixture
def captions(tmp_path):
    """Twenty squares of two colours, each with two captions."""
    folder = tmp_path / "captions"
    folder.mkdir()
    rows = []
    for index in range(20):
        colour = ("red", "blue")[index % 2]
        pixels = np.zeros((40, 36, 3), dtype=np.uint8)
        pixels[:, :, 0 if colour == "red" else 2] = 100 + index
        Image.fromarray(pixels).save(folder / f"{index}.png")
        texts = f"a {colour} square, number {index}", f"Ein Bild: „{colour}“ №{index}"
        rows += [{"path": f"{index}.png", "caption": text, "colour": colour} for text in texts]
    write(folder / "captions.csv", rows)
    return folder


def write(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)


def samples(**parameters):
    data = CaptionedImages(**parameters)
    return [data[index] for index in range(len(data))]


def test_every_caption_stands_with_its_picture(captions):
    assert isinstance(CaptionedImages(root=captions), coview.Dataset)
    found = samples(root=captions, split="train") + samples(root=captions, split="test")
    assert len(found) == len({sample.id for sample in found}) == 40
    with (captions / "captions.csv").open(encoding="utf-8", newline="") as file:
        expected = {(row["path"], row["caption"]) for row in csv.DictReader(file)}
    assert {(sample.group, sample["text"]) for sample in found} == expected
    for sample in found:
        index = int(sample.group.removesuffix(".png"))
        assert sample["image"].max() == 100 + index
        assert sample.label is None


def test_no_picture_is_in_both_splits(captions):
    train, test = samples(root=captions, split="train"), samples(root=captions, split="test")
    assert {sample.group for sample in train} & {sample.group for sample in test} == set()
    assert len(test) == 8
    assert [sample.id for sample in test] == [sample.id for sample in samples(root=captions, split="test")]
    assert {sample.group for sample in samples(root=captions, split="test", split_seed=1)} != {s.group for s in test}


def test_classes_come_from_a_column(captions):
    data = CaptionedImages(root=captions, label_column="colour")
    assert data.classes == ("blue", "red")
    assert [data[index].label for index in range(len(data))] == data.labels.tolist()
    assert all(data.classes[data[index].label] in data[index]["text"] for index in range(len(data)))


def test_the_table_may_lie_elsewhere_and_be_tabbed(captions, tmp_path):
    write(tmp_path / "t.tsv", [{"file": "3.png", "says": "three"}, {"file": "4.png", "says": "four"}], "\t")
    columns = {"captions": tmp_path / "t.tsv", "path_column": "file", "caption_column": "says"}
    found = samples(root=captions, split="train", **columns) + samples(root=captions, split="test", **columns)
    assert {sample["text"] for sample in found} == {"three", "four"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "0.png", "text": "x"}], 'has no column "caption"'),
        (
            [{"path": "0.png", "caption": ""}, {"path": "1.png", "caption": "b"}],
            '1 of 2 rows have nothing in "caption"',
        ),
        (None, r"captions\.csv: no such file"),
    ],
)
def test_what_is_wrong_with_the_table_is_said(tmp_path, rows, message):
    if rows is not None:
        write(tmp_path / "captions.csv", rows)
    with pytest.raises(coview.CoviewError, match=message):
        CaptionedImages(root=tmp_path)


def test_a_picture_that_is_not_there_is_skipped_by_name(captions):
    (captions / "0.png").unlink()
    with pytest.raises(coview.SampleError, match=r"0\.png"):
        samples(root=captions, split="train") + samples(root=captions, split="test")


@pytest.mark.parametrize("name", ["clip", "clip-cpu"])
def test_the_recipes_fit_together(captions, registry, name):
    overrides = {"data.root": str(captions)}
    if name == "clip":  # one layer of twelve says as much
        overrides |= {"encoder.text.layers": 1, "train.batch_size": 4, "train.grad_cache": 4}
    recipe = coview.load_recipe(
        RECIPES / f"{name}.toml", registry=registry, overrides=overrides | {"train.batch_size": 4}
    )
    assert "32 samples" in try_out(recipe, registry)


def test_a_run_finds_pictures_by_texts(captions, registry, tmp_path):
    overrides = {
        "data.root": str(captions), "data.workers": 0, "train.epochs": 1, "train.batch_size": 8, "train.grad_cache": 8,
        "encoder.image.width": 8, "encoder.text.vocabulary": 300,
    }  # fmt: skip
    recipe = coview.load_recipe(RECIPES / "clip-cpu.toml", registry=registry, overrides=overrides)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    found = {(row.protocol["query"], row.metric, row.kind) for row in run.results}
    assert {("text", "recall@1", "pretrained"), ("image", "recall@1", "untrained")} <= found


def test_splits_and_groups_of_the_table(captions):
    rows = [
        {"path": f"{i}.png", "caption": f"number {i}", "part": ("train", "dev", "test")[i % 3], "who": f"p{i // 5}"}
        for i in range(20)
    ]
    write(captions / "captions.csv", rows)
    assert CaptionedImages.find_splits(root=str(captions), split_column="part") == ("train", "validation", "test")
    for split, name in (("train", "train"), ("validation", "dev"), ("test", "test")):
        found = samples(root=captions, split=split, split_column="part")
        assert {sample["text"] for sample in found} == {row["caption"] for row in rows if row["part"] == name}
    sides = [{s.group for s in samples(root=captions, split=split, group_column="who")} for split in ("train", "test")]
    assert not sides[0] & sides[1]
    versions = {
        CaptionedImages(root=captions, **more).version for more in ({}, {"split_column": "part"}, {"split_seed": 1})
    }
    assert len(versions) == 3


def test_another_picture_or_caption_is_another_version(captions):
    before = CaptionedImages(root=captions).version
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(captions / "3.png")
    changed = CaptionedImages(root=captions).version
    assert changed != before
    text = (captions / "captions.csv").read_text()
    (captions / "captions.csv").write_text(text.replace("number 3", "number three"))
    assert CaptionedImages(root=captions).version not in (before, changed)


def test_what_is_not_there_is_known_ahead(captions):
    (captions / "0.png").unlink()
    for split in ("train", "test"):
        data = CaptionedImages(root=captions, split=split)
        assert data.notes[0].startswith("2 of the 40 pictures that captions.csv names are not there: captions.csv:2")
        missing = [row for row, path in enumerate(data.paths) if path == "0.png"]
        assert sorted(data.unreadable) == missing
        for row in missing:
            with pytest.raises(coview.SampleError, match="there is no such file"):
                data[row]


def test_a_caption_is_read_without_its_picture(captions):
    """As of every training step of a run whose picture encoder is frozen."""
    data = CaptionedImages(root=captions)
    check_rows(data, "here")
    whole = data[3]
    for picture in captions.glob("*.png"):
        picture.unlink()
    found = data.read_modalities(3, ("text",))
    assert dict(found.values) == {"text": whole["text"]}
    assert (found.id, found.group) == (whole.id, whole.group)
    with pytest.raises(coview.SampleError):
        data.read_modalities(3, ("image",))
