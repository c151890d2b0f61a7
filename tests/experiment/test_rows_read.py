"""Where evaluators read few rows of a split, the encoder and its untrained control embed these alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import coview
from coview import evaluating
from coview.data.rng import Rng
from coview.data.sample import id_as_int64
from coview.evaluate.label_budget import draw_labels
from coview.experiment.rows_read import rows_read

PROBE = """
[[evaluate]]
use = "linear_probe"
labels_per_class = [2]
draws = 3
"""
KNN = """
[[evaluate]]
use = "knn"
labels_per_class = [1]
draws = 2
"""
KNN_OF_ALL = """
[[evaluate]]
use = "knn"
k = 5
"""


def run_of(small_recipe, write_recipe, tmp_path, evaluators):
    body = small_recipe[: small_recipe.index("[[evaluate]]")]
    recipe = write_recipe(body + evaluators)
    return coview.run(coview.load_recipe(recipe), out=tmp_path / "runs")


def numbers(run):
    rows = json.loads((run.folder.path / "results.json").read_text())["results"]
    return {(row["evaluator"], row["kind"], row["protocol"].get("labels_per_class")): row["value"] for row in rows}


def features(run, pattern):
    return {path.name: load_file(path) for path in (run.folder.path / "features").glob(pattern)}


@pytest.fixture(scope="module")
def labels():
    dataset = coview.load_plugins().build("dataset", "digits", supplied={"split": "train"})
    return np.asarray(dataset.labels)


def test_the_numbers_are_those_of_whole_splits(small_recipe, write_recipe, tmp_path, labels):
    few = run_of(small_recipe, write_recipe, tmp_path / "few", PROBE)
    whole = run_of(small_recipe, write_recipe, tmp_path / "whole", PROBE + KNN_OF_ALL)
    kept = features(few, "pretrained-step-*/train*")
    assert kept.keys() == {"train-some.safetensors"}
    assert features(few, "untrained/train*").keys() == {"train-some.safetensors"}
    assert features(few, "raw/train*").keys() == {"train.safetensors"}
    rest, _ = coview.seeded_split(len(labels), fraction=0.1, seed=0, labels=labels)
    drawn = draw_labels(labels[rest], (2,), 3, Rng(few.recipe.seed, sample=id_as_int64("linear_probe")))[2]
    rows = np.unique(rest[np.concatenate(drawn)])
    (some,) = kept.values()
    assert len(some["x_ND"]) == len(rows) <= 3 * 2 * 10
    assert some["labels_N"].tolist() == labels[rows].tolist()
    (all_of,) = features(whole, "pretrained-step-*/train*").values()
    torch.testing.assert_close(some["x_ND"], all_of["x_ND"][torch.from_numpy(rows)], rtol=1e-5, atol=1e-6)
    found, expected = numbers(few), numbers(whole)
    assert {key[1] for key in found} == {"pretrained", "untrained", "raw"}
    assert found == {key: expected[key] for key in found}


def test_several_evaluators_share_the_rows_that_any_of_them_reads(small_recipe, write_recipe, tmp_path):
    both = run_of(small_recipe, write_recipe, tmp_path / "both", PROBE + KNN)
    alone = [run_of(small_recipe, write_recipe, tmp_path / name, of) for name, of in (("a", PROBE), ("b", KNN))]
    ids = [set(next(iter(features(run, "untrained/train*").values()))["ids_N"].tolist()) for run in (both, *alone)]
    assert ids[0] == ids[1] | ids[2]
    assert ids[1] - ids[2]
    assert ids[2] - ids[1]
    assert numbers(both) == numbers(alone[0]) | numbers(alone[1])


def test_evaluating_a_run_again_reads_what_is_kept(small_recipe, write_recipe, tmp_path):
    run = run_of(small_recipe, write_recipe, tmp_path, PROBE)
    before = numbers(run)
    (path,) = (run.folder.path / "features").glob("pretrained-step-*/train-some.safetensors")
    stamp = path.stat().st_mtime_ns
    coview.evaluate_run(run.folder.path)
    assert numbers(run) == before
    assert path.stat().st_mtime_ns == stamp
    found = json.loads((run.folder.path / "results.json").read_text())["results"]
    path.unlink()  # the raw features are there still, and what is known of the samples is read from them
    coview.evaluate_run(run.folder.path)
    assert path.stat().st_mtime_ns > stamp
    again = json.loads((run.folder.path / "results.json").read_text())["results"]
    assert [row["protocol"] for row in again] == [row["protocol"] for row in found]
    assert len(again) == len(before)  # one of another protocol would stand beside its equal
    assert all({*row["protocol"]["rows"]} >= {"train", "test"} for row in again)


class Store:
    """What is known of two splits, of which the first two samples of train have no class."""

    own_validation = True
    recipe = type("Recipe", (), {"seed": 0})
    reference = type("Reference", (), {"classes": ("a", "b")})

    def part(self, kind, name, names, labelled):
        assert kind is None
        labels_N = torch.arange({"train": 40, "test": 9}[name]) % 2
        return name, coview.FeatureSplit(torch.ones(len(labels_N), 0), labels_N, labels_N), 2 + np.arange(len(labels_N))

    def dataset(self, split):
        return range({"train": 42, "test": 11}[split])

    def say(self, text):
        self.said = text


class Reads:
    splits, labels = ("train", "test"), "class"

    def __init__(self, rows):
        self.rows = rows

    def rows_read(self, features, rng):
        assert features["train"].x_ND.shape == (40, 0)
        return self.rows


class Refuses(Reads):
    def rows_read(self, features, rng):
        raise coview.CoviewError("too few")


@pytest.mark.parametrize(
    ("evaluators", "expected"),
    [
        ([Reads({"train": np.array([0, 5])})], {"train": [2, 7]}),
        ([Reads({"train": np.array([0, 5])}), Reads({"train": np.array([5, 1])})], {"train": [2, 3, 7]}),
        ([Reads({"train": np.array([0, 5])}), Reads({})], {}),
        ([Reads({"train": np.array([0, 5])}), Refuses({})], {}),
        ([Reads({"train": np.arange(21)})], {"train": [*range(2, 23)]}),
        ([Reads({"train": np.arange(22)})], {}),
        ([Reads({"train": np.array([], dtype=int)})], {"train": [2]}),
    ],
    ids=["one", "two", "one reads all", "one cannot say", "half", "more than half", "none"],
)
def test_what_is_embedded_is_what_any_of_them_reads(evaluators, expected):
    found = rows_read(Store(), [("it", evaluator) for evaluator in evaluators])
    assert {split: rows.tolist() for split, rows in found.items()} == expected


@pytest.mark.parametrize("rows", [{"train": np.array([40])}, 3], ids=["no such row", "no mapping"])
def test_one_that_says_nonsense_is_given_all_rows_and_named(rows):
    store = Store()
    assert rows_read(store, [("it", Reads(rows))]) == {}
    assert store.said.startswith("warning: it: rows_read failed: ")
    assert store.said.endswith("; all rows are embedded")


def test_one_that_reads_other_rows_than_it_says_gets_nan():
    split = coview.FeatureSplit(
        torch.tensor([[1.0], [torch.nan], [torch.inf]]),
        torch.arange(3),
        torch.tensor([0, 1, 0]),
        embedded_N=torch.tensor([True, False, True]),
    )
    with pytest.raises(coview.CoviewError, match="1 of 2 representations of the train split hold NaN or infinity"):
        evaluating.finite_features(coview.Features({"train": split}), "train")
