"""More labels than a class has are refused before anything is trained, where the data knows its labels."""

from __future__ import annotations

import numpy as np
import pytest

import coview

DATASETS = ("digits", "fashion_mnist", "spoken_digits", "scipy_docs")


def test_it_is_said_with_its_line_and_leaves_nothing_behind(call, write_recipe, small_recipe, tmp_path):
    recipe = write_recipe(small_recipe + "labels_per_class = [1, 500]\n")
    done = call("run", recipe)
    line = small_recipe.splitlines().index("[[evaluate]]") + 1
    labels = [sample.label for sample in _samples(coview.load_plugins().build("dataset", "digits", supplied=TRAIN))]
    scarce = int(np.bincount(labels).argmin())
    assert done.status == 2
    expected = f"knn: labels_per_class = 500: class '{scarce}' has {min(np.bincount(labels))} labelled training samples"
    assert f"recipe.toml:{line}: " in done.err
    assert expected in done.err
    assert f"ask for at most {min(np.bincount(labels))} labels per class" in done.err
    assert not (tmp_path / "runs").exists()


def test_a_share_is_measured_and_named(call, write_recipe, small_recipe):
    done = call("run", write_recipe(small_recipe + 'labels_per_class = ["10%"]\n'))
    assert done.status == 0, done.err
    assert "knn accuracy 10% of the labels" in done.out


TRAIN = {"split": "train"}


def _samples(dataset):
    return (dataset[index] for index in range(len(dataset)))


@pytest.mark.parametrize("use", DATASETS)
def test_labels_are_those_of_the_samples(registry, use):
    try:
        dataset = registry.build("dataset", use, supplied=TRAIN)
    except coview.CoviewError as error:
        pytest.skip(error.message)
    rows = np.random.default_rng(0).choice(len(dataset), 100, replace=False)
    assert [int(dataset.labels[row]) for row in rows] == [dataset[int(row)].label for row in rows]
    assert len(dataset.labels) == len(dataset)
