"""The recipes for data of the hub: valid as they are, and one batch goes through them on a local stand-in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import coview
from coview.experiment.trial import try_out

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "image"
NAMES = ("cifar-10-simclr", "stl-10-simclr", "imagenet-simclr")

SPLITS = {
    "cifar-10-simclr": ("img", 10, {"train": (32, 32), "test": (32, 32)}),
    "stl-10-simclr": ("image", 10, {"unlabeled": (96, 96), "train": (96, 96), "test": (96, 96)}),
    "imagenet-simclr": ("image", 1000, {"train": (375, 500), "validation": (400, 300), "test": (300, 300)}),
}


def write(datasets, folder, name):
    """A few pictures in the columns, sizes and splits of the data set."""
    column, classes, splits = SPLITS[name]
    features = datasets.Features(
        {column: datasets.Image(), "label": datasets.ClassLabel(names=[f"c{i}" for i in range(classes)])}
    )
    parts = {}
    for split, (height, width) in splits.items():
        files = []
        for row in range(12):
            buffer = io.BytesIO()
            pixels = np.random.default_rng(row).integers(0, 256, (height, width, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(buffer, "JPEG")
            files.append({"bytes": buffer.getvalue(), "path": None})
        labels = [-1] * 12 if split == "unlabeled" else [row % 2 for row in range(12)]
        parts[split] = datasets.Dataset.from_dict({column: files, "label": labels}, features=features)
    datasets.DatasetDict(parts).save_to_disk(folder)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid(name):
    recipe = coview.load_recipe(RECIPES / f"{name}.toml")
    assert recipe.name == name
    assert not recipe.warnings


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_a_stand_in_goes_through(name, registry, write_recipe, tmp_path):
    datasets = pytest.importorskip("datasets")
    write(datasets, tmp_path / "data", name)
    text = (RECIPES / f"{name}.toml").read_text()
    original = next(line for line in text.splitlines() if line.startswith('use = "image/hub:'))
    text = text.replace(original, f'use = "image/hub:{tmp_path / "data"}"')
    text = text.replace('"../base/', f'"{RECIPES.parent}/base/')
    few = {"train.batch_size": 8, "schedule.warmup": 1}
    if name != "stl-10-simclr":  # whose training split has no labels to evaluate with
        few["evaluate.1.labels_per_class"] = [1]
    recipe = coview.load_recipe(write_recipe(text), overrides=few)
    assert "projections 2 × 4 × 128" in try_out(recipe, registry)
