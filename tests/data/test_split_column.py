"""Columns of splits and folds."""

from __future__ import annotations

import pandas
import pytest

import coview


@pytest.fixture
def path(tmp_path):
    names = ["train", "Test", "dev", "TRAIN", "training", "val"]
    frame = pandas.DataFrame(
        {"x": range(60), "split": [names[i % 6] for i in range(60)], "fold": [i % 5 for i in range(60)]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_names_of_splits(path):
    found = coview.rows_by_split(coview.read_table(path, ["split"]), "split")
    frame = pandas.read_csv(path)
    for split, names in {
        "train": ["train", "TRAIN", "training"],
        "test": ["Test"],
        "validation": ["dev", "val"],
    }.items():
        assert found[split].tolist() == frame.index[frame.split.isin(names)].tolist()
    assert coview.table_splits(path, {"split_column": "split"}) == ("train", "validation", "test")
    assert coview.table_splits(str(path), {"split_column": "fold", "fold": "3"}) == ("train", "test")
    assert coview.table_splits(path.parent / "gone.csv", {"split_column": "split"}) == ("train", "test")


def test_one_fold_is_tested_on(path):
    found = coview.rows_by_split(coview.read_table(path, ["fold"]), "fold", "3")
    frame = pandas.read_csv(path)
    assert found["test"].tolist() == frame.index[frame.fold == 3].tolist()
    assert found["train"].tolist() == frame.index[frame.fold != 3].tolist()


@pytest.mark.parametrize(
    ("values", "fold", "says"),
    [
        (["train", "test", "tset"], None, "t.csv:4: \"split\" has 'tset', which is not the name of a split"),
        (["1", "2", "1"], None, "t.csv:2: \"split\" has '1'"),
        (["train", "train"], None, "no row is of the test split"),
        (["1", "2"], "3", "no row has '3'"),
        (["1", "1"], "1", "no row is of the train split"),
    ],
)
def test_what_is_no_split_is_refused(tmp_path, values, fold, says):
    path = tmp_path / "t.csv"
    pandas.DataFrame({"split": values, "x": 1}).to_csv(path, index=False)
    with pytest.raises(coview.CoviewError, match=says):
        coview.rows_by_split(coview.read_table(path, ["split"]), "split", fold)


def test_validation_is_tested_on_where_there_is_no_test(tmp_path):
    path = tmp_path / "t.csv"
    pandas.DataFrame({"split": ["train", "valid"], "x": 1}).to_csv(path, index=False)
    found = coview.rows_by_split(coview.read_table(path, ["split"]), "split")
    assert {name: rows.tolist() for name, rows in found.items()} == {"train": [0], "test": [1]}
