"""Folders as people have them, and what is said about those that are none."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

import coview
from coview_image.datasets.image_folder import ImageFolder


def put(path: Path, colour: tuple[int, int, int] = (1, 2, 3), size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def animals(tmp_path):
    for i in range(10):
        put(tmp_path / "dog" / f"{i}.png", (i, 0, 0))
        put(tmp_path / "cat" / "deep" / "deeper" / f"{i}.JPG", (0, i, 0))
        put(tmp_path / "ape" / f"{i}.webp", (0, 0, i))
    (tmp_path / "dog" / "notes.txt").write_text("not a picture")
    (tmp_path / "dog" / ".hidden.png").write_bytes(b"not a picture")
    put(tmp_path / ".thumbnails" / "0.png")
    return tmp_path


def test_is_a_dataset_of_the_contract(animals):
    data = ImageFolder(root=animals)
    assert isinstance(data, coview.Dataset)
    assert data.classes == ("ape", "cat", "dog")
    assert data.modalities == ("image",)


def test_classes_ids_and_values(animals):
    found = {}
    for split in ImageFolder.splits:
        data = ImageFolder(split=split, root=animals)
        for i in range(len(data)):
            sample = data[i]
            found[sample.id] = sample
            assert data.classes[sample.label] == sample.id.split("/")[0]
            assert sample["image"].shape == (4, 6, 3)
    assert len(found) == 30
    assert found["dog/7.png"]["image"][0, 0].tolist() == [7, 0, 0]
    assert "cat/deep/deeper/3.JPG" in found


def test_the_seeded_split_is_stratified_disjoint_and_stable(animals):
    def ids(**options):
        data = ImageFolder(root=animals, **options)
        return [data[i].id for i in range(len(data))]

    train, test = ids(split="train"), ids(split="test")
    assert not set(train) & set(test)
    assert len(test) == 6
    assert sorted(name.split("/")[0] for name in test) == ["ape", "ape", "cat", "cat", "dog", "dog"]
    assert test == sorted(test)
    assert ids(split="test") == test
    assert ids(split="test", split_seed=1) != test
    assert len(ids(split="test", test_fraction=0.5)) == 15


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_splits_of_its_own(tmp_path, held_out):
    for split, n in (("train", 3), (held_out, 2)):
        for name in ("a", "b"):
            for i in range(n):
                put(tmp_path / split / name / f"{i}.png")
    train, test = ImageFolder(split="train", root=tmp_path), ImageFolder(split="test", root=tmp_path)
    assert (len(train), len(test)) == (6, 4)
    assert train[0].id == "train/a/0.png"
    assert test[3].id == f"{held_out}/b/1.png"
    assert train.version == test.version, "it is of both"


def test_a_test_folder_may_lack_a_class_but_not_add_one(tmp_path):
    for name in ("a", "b", "c"):
        put(tmp_path / "train" / name / "0.png")
    for name in ("b", "c"):
        put(tmp_path / "test" / name / "0.png")
    test = ImageFolder(split="test", root=tmp_path)
    assert [test.classes[test[i].label] for i in range(2)] == ["b", "c"]
    put(tmp_path / "test" / "z" / "0.png")
    with pytest.raises(coview.CoviewError, match="classes z are not among"):
        ImageFolder(split="test", root=tmp_path)


def test_without_classes(tmp_path):
    for i in range(10):
        put(tmp_path / f"{i}.png")
    data = ImageFolder(root=tmp_path)
    assert data.classes is None
    assert data[0].label is None
    assert len(data) == 8


def test_labelled_training_and_unlabelled_test(tmp_path):
    put(tmp_path / "train" / "a" / "0.png")
    put(tmp_path / "train" / "b" / "0.png")
    put(tmp_path / "test" / "0.png")
    for split in ImageFolder.splits:
        with pytest.raises(coview.CoviewError, match="train/ has class folders but test/ has none"):
            ImageFolder(split=split, root=tmp_path)


def test_a_broken_file_is_named_when_it_is_asked_for(animals):
    (animals / "ape" / "0.webp").write_bytes(b"broken")
    broken = []
    for split in ImageFolder.splits:
        data = ImageFolder(split=split, root=animals)
        for i in range(len(data)):
            try:
                data[i]
            except coview.SampleError as error:
                broken.append(error.what)
    assert broken == [str(animals / "ape" / "0.webp")]


def test_decode_size(tmp_path):
    for name in ("a", "b"):
        for i in range(2):
            put(tmp_path / name / f"{i}.jpg", size=(400, 320))
    assert ImageFolder(root=tmp_path, decode_size=40)[0]["image"].shape == (40, 50, 3)


def test_links_are_followed_once(animals):
    (animals / "dog" / "loop").symlink_to(animals / "dog")
    total = sum(len(ImageFolder(split=split, root=animals)) for split in ImageFolder.splits)
    assert total == 30


def test_unusual_names(tmp_path):
    for name in ("naïve", "b c", "日本"):
        for i in range(3):
            put(tmp_path / name / f"{i} ü.png")
    data = ImageFolder(root=tmp_path)
    assert all(data[i]["image"].shape == (4, 6, 3) for i in range(len(data)))
    assert data.classes == tuple(sorted(("naïve", "b c", "日本")))


def test_the_version_tells_listings_apart(animals):
    before = ImageFolder(root=animals).version
    assert ImageFolder(root=animals).version == before
    put(animals / "dog" / "new.png")
    assert ImageFolder(root=animals).version != before


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "it is empty"),
        (["notes.txt", "data.csv"], "2 other files, such as data.csv"),
        (["a/notes.txt", "b/notes.txt"], "no pictures below a, b"),
        (["cat/0.png", "cat/1.png"], "exactly one class, 'cat'"),
        (["cat/0.png", "dog/0.png", "empty/notes.txt"], "no pictures in empty"),
        (["cat/0.png", "dog/0.png", "1.png"], "pictures of its own"),
    ],
)
def test_what_is_no_image_folder_is_explained(tmp_path, files, message):
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path) if path.suffix == ".png" else path.write_text("x")
    with pytest.raises(coview.CoviewError, match=message) as caught:
        ImageFolder(root=tmp_path)
    assert caught.value.hint


def test_a_missing_root_and_an_unknown_split(tmp_path, animals):
    with pytest.raises(coview.CoviewError, match="no such folder"):
        ImageFolder(root=tmp_path / "gone")
    with pytest.raises(ValueError, match="train, test"):
        ImageFolder(split="dev", root=animals)


def test_labels_survive_as_plain_integers(animals):
    sample = ImageFolder(root=animals)[0]
    assert type(sample.label) is int
    assert isinstance(sample["image"], np.ndarray)


def test_a_table_in_place_of_subfolders(tmp_path):
    rows = []
    for i in range(30):
        put(tmp_path / "all" / f"{i}.png")
        rows.append((f"{i}.png", "xyz"[i % 3], f"patient {i // 3}", i % 5))
    frame = pandas.DataFrame(rows, columns=["file", "kind", "who", "fold"])
    frame.to_parquet(tmp_path / "t.parquet")
    columns = {"labels": tmp_path / "t.parquet", "path_column": "file", "label_column": "kind"}
    data = [ImageFolder(root=tmp_path / "all", split=s, group_column="who", **columns) for s in ("train", "test")]
    assert not set(data[0].groups) & set(data[1].groups)
    kinds = dict(zip(frame.file, frame.kind, strict=True))
    for part in data:
        assert all(part.classes[part[i].label] == kinds[part[i].id] for i in range(len(part)))
    test = ImageFolder(root=tmp_path / "all", split="test", split_column="fold", fold="4", **columns)
    assert sorted(test[i].id for i in range(len(test))) == sorted(frame.file[frame.fold == 4])
    assert test.version != data[0].version


def test_classes_that_a_column_of_splits_has_on_one_side_are_said(tmp_path):
    for name in "uvwxyz":
        put(tmp_path / "all" / f"{name}.png")
    rows = ["u,a,train", "v,b,train", "w,,train", "x,a,test", "y,c,test", "z,,test"]
    lines = ["path,label,part", *(row.replace(",", ".png,", 1) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    how = {"root": tmp_path / "all", "labels": tmp_path / "t.csv", "split_column": "part"}
    train, test = (ImageFolder(split=split, **how) for split in ("train", "test"))
    assert [train[row].label for row in range(3)] == [0, 1, None]
    assert [test[row].label for row in range(3)] == [0, 2, None]
    assert train.notes == test.notes
    assert train.notes == (
        "the class b cannot be tested: its samples are all in the train split",
        "the class c cannot be learned: its samples are all in the test split",
    )


def test_a_table_of_paths_without_classes_and_a_wrong_prefix(tmp_path):
    for i in range(10):
        put(tmp_path / "all" / f"{i}.png")
    (tmp_path / "t.csv").write_text("path\n" + "".join(f"{i}.png\n" for i in range(10)) + "gone.png\n")
    data = ImageFolder(root=tmp_path / "all", labels=tmp_path / "t.csv", label_column="")
    assert data.classes is None
    assert data.notes == ("1 of the 11 pictures that t.csv names is not there: t.csv:12",)
    with pytest.raises(coview.CoviewError, match=r"none of the 11 pictures .* there is no such file") as caught:
        ImageFolder(root=tmp_path, labels=tmp_path / "t.csv", label_column="")
    assert "root" in caught.value.hint


def test_names_of_a_table_may_be_composed_where_the_files_are_not(tmp_path):
    for name in ("café", "naïve", "x", "y"):
        put(tmp_path / "all" / f"{unicodedata.normalize('NFD', name)}.png")
    (tmp_path / "t.csv").write_text("path,label\ncafé.png,é\nnaïve.png,e\u0301\nx.png,b\ny.png,b\n", encoding="utf-8")
    train, test = (
        ImageFolder(root=tmp_path / "all", labels=tmp_path / "t.csv", split=split, test_fraction=0.5)
        for split in ("train", "test")
    )
    assert train.classes == ("b", "é")
    assert train.notes == ()
    assert all(part[i]["image"].shape == (4, 6, 3) for part in (train, test) for i in range(len(part)))


def test_a_validation_split_of_its_own(tmp_path):
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            put(tmp_path / split / name / "0.png")
    assert ImageFolder.find_splits(root=str(tmp_path)) == ("train", "validation", "test")
    data = ImageFolder(split="validation", root=tmp_path)
    assert [data[i].id for i in range(2)] == ["val/a/0.png", "val/b/0.png"]


def test_what_is_known_of_a_picture_is_read_without_it(animals):
    data = ImageFolder(root=animals)
    whole = data[2]
    (animals / whole.id).unlink()
    found = data.read_modalities(2, ())
    assert (found.id, found.label, dict(found.values)) == (whole.id, whole.label, {})
