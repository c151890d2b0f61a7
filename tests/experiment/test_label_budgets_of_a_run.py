"""More labels than a class has are refused before anything is trained, where the data knows its labels."""

from __future__ import annotations

import numpy as np
import pytest
import tomli_w

import coview
from coview.data.sample import id_as_int64

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


@pytest.mark.parametrize("grouped", [False, True])
def test_labels_that_will_validate_do_not_count(registry, tmp_path, monkeypatch, grouped):
    """The probe chooses its penalty on a tenth of train, in which no group may be that is in the rest."""
    words = [f"{'abc'[i % 3]}{i // 6}" for i in range(120)]
    text = "text,label,group\n" + "".join(f"{w} {i},{'xyz'[i % 3]},{w}\n" for i, w in enumerate(words))
    (tmp_path / "texts.csv").write_text(text)
    data = {"use": "text_table", "path": str(tmp_path / "texts.csv"), "text": "text", "label": "label"}
    if grouped:
        data["group"] = "group"
    dataset = registry.build("dataset", "text_table", supplied=TRAIN, **{k: v for k, v in data.items() if k != "use"})
    samples = list(_samples(dataset))
    labels = np.array([sample.label for sample in samples])
    groups = [id_as_int64(sample.group) for sample in samples] if grouped else None
    rest, _ = coview.seeded_split(len(labels), fraction=0.1, seed=0, labels=labels, groups=groups)
    left, before = np.bincount(labels[rest]).min(), np.bincount(labels).min()
    assert left < before
    recipe = tmp_path / "recipe.toml"
    document = {
        "schema": 1, "name": "small", "data": data, "loss": {"use": "nt_xent"}, "projector": {"width": 8},
        "augment": [{"use": "random_swap"}], "optimizer": {"use": "sgd", "lr": 0.001}, "train": {"steps": 1, "batch_size": 8},
        "encoder": {"use": "text_transformer", "vocabulary": 300, "width": 8, "heads": 2, "layers": 1},
        "evaluate": [{"use": "linear_probe", "labels_per_class": [int(before)]}],
    }  # fmt: skip
    recipe.write_text(tomli_w.dumps(document))
    with pytest.raises(coview.CoviewError, match=f"has {left} labelled training samples") as caught:
        coview.run(coview.load_recipe(recipe), out=tmp_path / "runs")
    assert caught.value.hint == f"ask for at most {left} labels per class"
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
