"""Pictures of a Hugging Face data set, from what its library writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import coview

datasets = pytest.importorskip("datasets")


def picture(row):
    return np.random.default_rng(row).integers(0, 256, (10, 12, 3)).astype(np.uint8)


def as_png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def table(rows, broken=()):
    features = datasets.Features({"img": datasets.Image(), "kind": datasets.ClassLabel(names=["even", "odd"])})
    images = [{"bytes": b"no picture" if row in broken else as_png(picture(row)), "path": None} for row in rows]
    return datasets.Dataset.from_dict({"img": images, "kind": [row % 2 for row in rows]}, features=features)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pictures"
    datasets.DatasetDict({"train": table(range(40), broken=(3,)), "test": table(range(40, 60))}).save_to_disk(path)
    return path


def build(registry, folder, split="train", **parameters):
    return registry.build("dataset", f"image/hub:{folder}", supplied={"split": split}, **parameters)


def test_pictures_labels_and_ids(registry, folder):
    train, test = build(registry, folder), build(registry, folder, "test")
    assert isinstance(train, coview.Dataset)
    assert (len(train), len(test), train.classes) == (40, 20, ("even", "odd"))
    assert np.array_equal(train[5]["image"], picture(5))
    assert (train[5].label, train[5].id) == (1, "train/5")
    assert np.array_equal(test[1]["image"], picture(41))
    with pytest.raises(
        coview.SampleError, match=r"train/3: cannot be read as a picture \(cannot identify image file\)"
    ):
        train[3]


def test_the_first_ones_streamed(registry, folder):
    data = build(registry, folder, first=6)
    assert len(data) == 6
    assert np.array_equal(data[5]["image"], picture(5))


def test_a_folder_of_files(registry, tmp_path):
    for row in range(8):
        path = tmp_path / ("ab"[row % 2])
        path.mkdir(exist_ok=True)
        (path / f"{row}.png").write_bytes(as_png(picture(row)))
    data = build(registry, tmp_path, test_fraction=0.25)
    assert data.classes == ("a", "b")
    assert len(data) == 6
    expected = {picture(row).tobytes(): row % 2 for row in range(8)}
    assert all(expected[data[i]["image"].tobytes()] == data[i].label for i in range(6))


def test_columns_are_found_or_named(registry, folder, tmp_path):
    with pytest.raises(coview.CoviewError, match='no column "imge", did you mean "img"'):
        build(registry, folder, image="imge")
    datasets.Dataset.from_dict({"x": [1, 2, 3, 4, 5]}).save_to_disk(tmp_path / "none")
    with pytest.raises(coview.CoviewError, match="has no column of pictures"):
        build(registry, tmp_path / "none")


@pytest.mark.slow
def test_a_run_and_its_resolved_recipe(write_recipe, small_recipe, tmp_path):
    folder = tmp_path / "pictures"
    datasets.DatasetDict({"train": table(range(40)), "test": table(range(40, 60))}).save_to_disk(folder)
    text = small_recipe.replace('use = "digits"', f'use = "image/hub:{folder}"').replace(
        "batch_size = 32", "batch_size = 8"
    )
    run = coview.run(
        coview.load_recipe(write_recipe(text.replace("workers = 0", "workers = 2"))), tmp_path / "runs", quiet=True
    )
    assert run.results
    assert coview.load_run(run.path).recipe.data.use == f"image/hub:{folder}"


def test_twelve_bits_in_sixteen_are_asked_about(registry, tmp_path):
    wide = [np.random.default_rng(row).integers(0, 4096, (8, 8)).astype(np.uint16) for row in range(20)]
    features = datasets.Features({"img": datasets.Image()})
    images = {"img": [{"bytes": as_png(array), "path": None} for array in wide]}
    datasets.Dataset.from_dict(images, features=features).save_to_disk(tmp_path / "wide")
    with pytest.raises(coview.CoviewError, match="grey pictures of 16 bits") as caught:
        build(registry, tmp_path / "wide")
    assert "bits = 12" in caught.value.hint
    data = build(registry, tmp_path / "wide", bits=12)
    assert np.array_equal(data[3]["image"][..., 0], wide[int(data[3].id.split("/")[1])] // 16)


def test_a_folder_with_test_alone_says_what_is_held_out(registry, tmp_path):
    datasets.DatasetDict({"test": table(range(40))}).save_to_disk(tmp_path / "alone")
    with pytest.raises(coview.CoviewError, match='has no split "train"'):
        build(registry, tmp_path / "alone")
    data = build(registry, tmp_path / "alone", train_split="test")
    assert data.notes == (f'"{tmp_path / "alone"}" has no split to test on: 20% of "test" are held out',)


def test_labels_are_known_ahead(registry, tmp_path):
    features = datasets.Features({"img": datasets.Image(), "kind": datasets.ClassLabel(names=["even", "odd"])})
    images = [{"bytes": as_png(picture(row)), "path": None} for row in range(30)]
    kinds = [-1 if row % 5 == 0 else row % 2 for row in range(30)]
    made = datasets.Dataset.from_dict({"img": images, "kind": kinds}, features=features)
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(tmp_path / "some")
    data = build(registry, tmp_path / "some")
    assert data.labels.tolist() == kinds
    assert [data[row].label for row in range(30)] == [None if kind == -1 else kind for kind in kinds]
