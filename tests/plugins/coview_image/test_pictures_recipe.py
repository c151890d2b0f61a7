"""``recipes/image/pictures-simclr-cpu.toml``: a folder of colour pictures goes through it as it stands."""

from __future__ import annotations

import numpy as np
from PIL import Image

from coview.experiment.trial import try_out
from coview.recipe.load import load_recipe
from coview.recipe.shipped import shipped_folder


def photographs(folder):
    rng = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 4)):
        for name in ("ripe", "unripe"):
            for i in range(count):
                path = folder / split / name / f"{i}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (240, 320 - 8 * i, 3), dtype=np.uint8)).save(path)


def test_it_trains_in_colour_on_a_folder_of_photographs(registry, tmp_path, call):
    photographs(tmp_path / "mine")
    path = shipped_folder() / "image" / "pictures-simclr-cpu.toml"
    recipe = load_recipe(path, registry, sets=[f"data.root={tmp_path / 'mine'}", "train.batch_size=8"])
    assert recipe.warnings == ()
    assert try_out(recipe, registry).startswith("28 samples, ")
    done = call(
        "run", path, "--set", f"data.root={tmp_path / 'mine'}",
        "--set", "train.batch_size=8", "--set", "train.epochs=1", "--set", "schedule.warmup=0", "--set", "encoder.width=2",
        "--set", 'evaluate=[{use="knn", k=3}]',
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "warning: " not in done.err.replace("warning: image_folder: ", ""), "nothing of it does not suit them"
    assert "pretrained" in done.out
