"""Rows of the Hugging Face library: from the folders that it writes and reads, whole and streamed, with any splits."""

from __future__ import annotations

import pytest

import coview

datasets = pytest.importorskip("datasets")

COLOURS = ["red", "green", "blue"]


def table(n=30, start=0, names=True):
    label = datasets.ClassLabel(names=COLOURS) if names else datasets.Value("string")
    rows = range(start, start + n)
    data = {"text": [f"t{i}" for i in rows], "label": [i % 3 if names else COLOURS[i % 3] for i in rows]}
    return datasets.Dataset.from_dict(
        data, features=datasets.Features({"text": datasets.Value("string"), "label": label})
    )


@pytest.fixture
def saved(tmp_path):
    """As ``save_to_disk`` writes it, with both splits."""
    folder = tmp_path / "saved"
    datasets.DatasetDict({"train": table(), "validation": table(9, 30)}).save_to_disk(folder)
    return str(folder)


@pytest.fixture
def parquet(tmp_path):
    """Files without class names and without a split to test on."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    table(names=False).to_parquet(folder / "train.parquet")
    return str(folder)


def test_rows_labels_and_ids_of_both_splits(saved):
    train, test = (coview.HubRows(saved, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (30, 9)
    assert train.columns == ("text", "label")
    assert train.classes == tuple(COLOURS)
    assert train[4] == {"text": "t4", "label": 1}
    assert train.label_of(train[4]) == 1
    assert test[0]["text"] == "t30"
    assert (train.id(4), test.id(0)) == ("train/4", "validation/0")
    assert test.column("text") == [f"t{i}" for i in range(30, 39)]
    assert train.kind("label") == "ClassLabel"


def test_a_split_that_is_not_there_is_made_of_the_training_split(parquet):
    train, test = (coview.HubRows(parquet, split=split, test_fraction=0.2) for split in ("train", "test"))
    assert train.classes == test.classes == ("blue", "green", "red")
    ids = [rows.id(i) for rows in (train, test) for i in range(len(rows))]
    assert sorted(ids) == sorted(f"train/{i}" for i in range(30))
    assert len(test) == 6
    assert sorted(test.label_of(test[i]) for i in range(6)) == [0, 0, 1, 1, 2, 2]
    again = coview.HubRows(parquet, split="test", test_fraction=0.2)
    assert [again.id(i) for i in range(6)] == [test.id(i) for i in range(6)]
    assert again.version == test.version
    other = coview.HubRows(parquet, split="test", split_seed=1)
    assert [other.id(i) for i in range(6)] != [test.id(i) for i in range(6)]


@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_streamed_rows_are_the_first_ones(kind, request):
    path = request.getfixturevalue(kind)
    whole = coview.HubRows(path, split="train", test_fraction=0.2)
    rows = coview.HubRows(path, split="train", first=10, test_fraction=0.2)
    assert len(rows) == (10 if kind == "saved" else 8)
    by_id = {whole.id(i): whole[i] for i in range(len(whole))}
    found = {rows.id(i): rows[i] for i in range(len(rows))}
    assert found.items() <= by_id.items() or kind == "parquet"
    assert {row["text"] for row in found.values()} <= {f"t{i}" for i in range(10)}
    assert sorted(rows.classes) == sorted(COLOURS)


def test_a_chosen_split_label_and_hidden_labels(tmp_path):
    features = datasets.Features(
        {"coarse": datasets.ClassLabel(names=["a", "b"]), "fine": datasets.ClassLabel(names=COLOURS)}
    )
    data = datasets.Dataset.from_dict({"coarse": [0, 1], "fine": [2, -1]}, features=features)
    datasets.DatasetDict({"train": data, "odd": data}).save_to_disk(tmp_path / "two")
    path = str(tmp_path / "two")
    with pytest.raises(coview.CoviewError, match="several columns of classes, coarse, fine"):
        coview.HubRows(path, split="train")
    rows = coview.HubRows(path, split="test", test_split="odd", label="fine")
    assert [rows.label_of(rows[i]) for i in range(2)] == [2, None]
    assert rows.id(1) == "odd/1"
    assert coview.HubRows(path, split="test", test_split="odd", label="").classes is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"train_split": "trian"}, r'has no split "trian", did you mean "train"\?'),
        ({"validation_split": "validatoin"}, r'has no split "validatoin", did you mean "validation"\?'),
        ({"test_split": "tset"}, r'has no split "tset".*\(there is train, validation\)'),
        ({"label": "lable"}, r'has no column "lable", did you mean "label"\?'),
    ],
)
def test_what_is_not_there_is_named(saved, wanted, message):
    with pytest.raises(coview.CoviewError, match=message):
        coview.HubRows(saved, split="train", **wanted)


def test_the_split_that_validates_is_named(tmp_path, saved):
    datasets.DatasetDict({"train": table(), "dev": table(6, 30), "test": table(9, 36)}).save_to_disk(tmp_path / "three")
    path = str(tmp_path / "three")
    rows = {
        split: coview.HubRows(path, split=split, validation_split="dev") for split in ("train", "validation", "test")
    }
    assert {split: len(of) for split, of in rows.items()} == {"train": 30, "validation": 6, "test": 9}
    assert [rows["validation"][i]["text"] for i in range(6)] == [f"t{i}" for i in range(30, 36)]
    assert rows["validation"].id(0) == "dev/0"
    with pytest.raises(ValueError, match="split has to be one of train, test, got 'validation'"):
        coview.HubRows(path, split="validation")
    with pytest.raises(coview.CoviewError, match='"dev" is test_split and validation_split: name two splits'):
        coview.HubRows(path, split="test", test_split="dev", validation_split="dev")
    # what validates is not what is tested on: that is then made of the training split
    alone = {
        split: coview.HubRows(saved, split=split, validation_split="validation", test_fraction=0.2)
        for split in ("train", "validation", "test")
    }
    assert {split: len(of) for split, of in alone.items()} == {"train": 24, "validation": 9, "test": 6}
    assert [alone["validation"][i]["text"] for i in range(9)] == [f"t{i}" for i in range(30, 39)]
    assert alone["test"].id(0).startswith("train/")


def test_a_folder_without_data_is_a_message(tmp_path):
    with pytest.raises(coview.CoviewError, match="cannot be loaded"):
        coview.HubRows(str(tmp_path), split="train")


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        coview.CoviewError, match="is not in the cache of Hugging Face, and HF_HUB_OFFLINE is set"
    ) as found:
        coview.HubRows("nobody/nothing-of-this-name", split="train")
    assert "folder" in found.value.hint


def test_without_the_library_the_message_says_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(coview.CoviewError, match="need the package 'datasets'") as found:
        coview.HubRows(str(tmp_path), split="train")
    assert found.value.hint == "pip install 'coview[hub]'"


def speakers(n=30):
    data = {"who": [f"s{i % 10}" if i else None for i in range(n)], "label": [COLOURS[i % 3] for i in range(n)]}
    return datasets.Dataset.from_dict(data)


def test_no_group_is_on_both_sides(tmp_path):
    speakers().save_to_disk(tmp_path / "speech")
    path = str(tmp_path / "speech")
    train, test = (coview.HubRows(path, split=split, group="who", test_fraction=0.3) for split in ("train", "test"))
    sides = [{rows.group_of(rows[i]) for i in range(len(rows))} for rows in (train, test)]
    assert not (sides[0] - {None}) & (sides[1] - {None})
    assert sides[0] | sides[1] == {None, *(f"s{i}" for i in range(10))}
    assert len(train) + len(test) == 30
    assert coview.HubRows(path, split="train").group is None
    with pytest.raises(coview.CoviewError, match='no column "speaker"'):
        coview.HubRows(path, split="train", group="speaker")


@pytest.mark.parametrize("first", [None, 4])
def test_one_of_several_folders(tmp_path, first):
    for name, count in (("v1", 5), ("v2", 7)):
        for split in ("train", "test"):
            folder = tmp_path / name / split
            folder.mkdir(parents=True)
            table(count).to_parquet(folder / "0000.parquet")
    rows = coview.HubRows(str(tmp_path), split="test", folder="v2", first=first)
    assert len(rows) == (first or 7)
    assert rows.classes == tuple(COLOURS)


def test_a_streamed_file_has_its_columns(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(f"t{i},{COLOURS[i % 3]}\n" for i in range(9)))
    (tmp_path / "test.csv").write_text("text,label\nt9,red\n")
    rows = coview.HubRows(str(tmp_path), split="train", first=6)
    assert rows.columns == ("text", "label")
    assert rows.classes == ("blue", "green", "red")
    assert rows[4] == {"text": "t4", "label": "green"}


def test_the_only_column_of_a_type(saved, tmp_path):
    rows = coview.HubRows(saved, split="train")
    assert rows.kind("text") == "string"
    assert rows.only("string", "texts", "text") == "text"
    with pytest.raises(coview.CoviewError, match=r"no column of sounds \(its columns are text, label\)") as caught:
        rows.only("Audio", "sounds", "audio")
    assert caught.value.hint == "say audio = …"
    datasets.Dataset.from_dict({"a": ["x"] * 4, "b": ["y"] * 4}).save_to_disk(tmp_path / "two")
    with pytest.raises(coview.CoviewError, match="several columns of texts, a, b"):
        coview.HubRows(str(tmp_path / "two"), split="train").only("string", "texts", "text")


def test_a_file_is_given_as_bytes_or_by_its_path(saved, tmp_path):
    (tmp_path / "file").write_bytes(b"of a test")
    rows = coview.HubRows(saved, split="train")
    assert rows.file({"x": {"bytes": b"these", "path": "name"}}, "x").read() == b"these"
    assert rows.file({"x": {"bytes": None, "path": str(tmp_path / "file")}}, "x") == tmp_path / "file"
    assert rows.file({"x": {"bytes": None, "path": (tmp_path / "file").as_uri()}}, "x").read() == b"of a test"
    for nothing in (None, {"bytes": None, "path": None}, "text"):
        assert rows.file({"x": nothing}, "x") is None
    with pytest.raises(coview.CoviewError, match="cannot be loaded"):
        rows.file({"x": {"bytes": None, "path": (tmp_path / "gone").as_uri()}}, "x")


def test_what_the_library_could_not_make_is_said_in_its_own_words(tmp_path):
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "test.csv").write_text("a,c\n1,2\n")
    with pytest.raises(coview.CoviewError, match="cannot be loaded") as caught:
        coview.HubRows(str(tmp_path), split="train")
    assert "error occurred while generating" not in caught.value.message


def test_labels_that_are_nan_are_none(tmp_path):
    labels = [float("nan") if row % 4 == 0 else float(row % 2) for row in range(20)]
    part = datasets.Dataset.from_dict({"label": labels})
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(tmp_path / "d")
    rows = coview.HubRows(str(tmp_path / "d"))
    assert rows.classes == ("0.0", "1.0")
    assert rows.labels().tolist() == [-1 if row % 4 == 0 else row % 2 for row in range(20)]


def test_a_class_that_only_one_of_the_datas_own_splits_has_is_said(tmp_path):
    names = datasets.ClassLabel(names=["cat", "dog", "fox", "wolf"])
    features = datasets.Features({"text": datasets.Value("string"), "label": names})

    def part(labels):
        return datasets.Dataset.from_dict({"text": list(map(str, labels)), "label": labels}, features=features)

    datasets.DatasetDict({"train": part([0, 1, 0, 1, 3, 3]), "test": part([0, 1, 2])}).save_to_disk(tmp_path / "own")
    assert coview.HubRows(str(tmp_path / "own")).notes == (
        "the class wolf cannot be tested: its samples are all in the train split",
        "the class fox cannot be learned: its samples are all in the test split",
    )
    datasets.DatasetDict({"train": part([0, 1, 0, 1]), "test": part([-1, -1])}).save_to_disk(tmp_path / "hidden")
    assert coview.HubRows(str(tmp_path / "hidden"), label="label").notes == ()
