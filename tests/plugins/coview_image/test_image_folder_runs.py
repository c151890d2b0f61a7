"""Whole runs on folders of pictures, as a user starts them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

CLASSES = ("cat", "dog", "fox")
SUFFIXES = ("jpg", "png", "webp")


def save_pictures(folder, colour, count, seed):
    """Noise of one leading colour, by turns as JPEG, PNG and WebP."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        noise = rng.integers(0, 100, (20, 16, 3)) + 120 * np.eye(3)[colour]
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{index:03}.{SUFFIXES[index % 3]}")


@pytest.fixture
def classes(tmp_path):
    for index, name in enumerate(CLASSES):
        save_pictures(tmp_path / "pictures" / name, index, 60, seed=index)
    return tmp_path / "pictures"


@pytest.fixture
def flat(tmp_path):
    for index in range(3):
        save_pictures(tmp_path / "pictures", index, 50, seed=index)
    return tmp_path / "pictures"


@pytest.fixture
def run(call, write_recipe):
    """Runs the small recipe on the folder of pictures; gives what was said, and the folder of the run."""

    def run(*sets):
        options = [word for text in ("data.use=image_folder", "data.root=pictures", *sets) for word in ("--set", text)]
        recipe = write_recipe()
        done = call("run", recipe, *options)
        return done, next(iter((recipe.parent / "runs" / "small").glob("*")), None)

    return run


def results_of(folder):
    return json.loads((folder / "results.json").read_text())


def test_classes_by_subfolder(run, classes):
    done, folder = run()
    assert done.status == 0, done.err
    results = results_of(folder)
    found = {row["kind"]: row for row in results["results"]}
    assert set(found) == {"pretrained", "untrained", "raw"}
    assert {row["n"] for row in found.values()} == {36}, "a fifth of 180, a seeded split"
    assert found["raw"]["value"] == 1.0, "the leading colour tells the classes apart"
    assert found["pretrained"]["value"] > 0.9
    assert (results["skipped_samples"], results["skipped_evaluators"]) == ([], [])
    assert results["dataset"]["version"].startswith("180 files "), "of both splits"
    report = (folder / "report.html").read_text()
    assert any(f"{name} ({name}/" in report for name in CLASSES), "the report shows views and their class"
    assert re.search(r"knn accuracy all labels +\d\.\d+ \[", done.out)


def test_a_folder_without_classes_trains_and_leaves_out_what_needs_them(run, flat):
    done, folder = run('evaluate=[{use="knn", k=5}, {use="linear_probe"}]')
    assert done.status == 0, done.err
    for name in ("knn", "linear_probe"):
        assert f"{name} is left out: the data has no class labels" in done.err
    results = results_of(folder)
    assert results["results"] == []
    assert results["skipped_evaluators"] == [
        {"evaluator": name, "reason": "the data has no class labels"} for name in ("knn", "linear_probe")
    ]
    assert (folder / "checkpoints" / "last" / "weights.safetensors").is_file()
    losses = [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    report = (folder / "report.html").read_text()
    assert "the data has no class labels" in report
    assert "coview evaluate" not in done.out, "there is nothing to evaluate"


def test_one_broken_file_is_named_skipped_and_counted(run, classes):
    broken = classes / "dog" / "007.png"
    broken.write_bytes(broken.read_bytes()[:40])
    done, folder = run("train.epochs=2")
    assert done.status == 0, done.err
    assert done.err.count(f"skipped {broken}: cannot be read as a picture") == 1
    (skipped,) = results_of(folder)["skipped_samples"]
    assert (skipped["split"], skipped["sample"]) == ("train", str(broken))
    assert "cannot be read as a picture" in skipped["reason"]
    assert str(broken) in (folder / "report.html").read_text()


def test_a_broken_file_of_the_test_split_is_left_out_of_the_numbers(run, tmp_path):
    for index, name in enumerate(CLASSES[:2]):
        save_pictures(tmp_path / "pictures" / "train" / name, index, 30, seed=index)
        save_pictures(tmp_path / "pictures" / "test" / name, index, 60, seed=10 + index)
    (tmp_path / "pictures" / "test" / "cat" / "000.jpg").write_text("no picture")
    done, folder = run()
    assert done.status == 0, done.err
    results = results_of(folder)
    assert {row["n"] for row in results["results"]} == {119}
    assert [(row["split"], row["sample"]) for row in results["skipped_samples"]] == [
        ("test", f"{tmp_path}/pictures/test/cat/000.jpg")
    ]


@pytest.mark.parametrize("workers", [0, 2])
def test_more_than_one_per_cent_broken_stops_the_run(run, classes, workers):
    for index in range(12):
        (classes / "fox" / f"{index:03}.{SUFFIXES[index % 3]}").write_bytes(b"broken")
    done, folder = run(f"data.workers={workers}", "train.epochs=2")
    assert (done.status, done.out) == (2, "")
    assert re.search(r"error: \d of the 144 train samples cannot be read, more than 1%:\n", done.err)
    assert re.search(r"    /.*/pictures/fox/0\d\d\.\w+: cannot be read as a picture", done.err)
    assert done.err.endswith("  repair or remove them\n")
    assert "Traceback" not in done.err
    assert folder is None, "a run that has taken no step leaves no folder"


def test_broken_files_that_show_in_the_evaluation_stop_it_and_keep_the_checkpoint(run, tmp_path):
    for index, name in enumerate(CLASSES[:2]):
        save_pictures(tmp_path / "pictures" / "train" / name, index, 30, seed=index)
        save_pictures(tmp_path / "pictures" / "test" / name, index, 30, seed=10 + index)
    for path in sorted((tmp_path / "pictures" / "test" / "cat").iterdir())[:2]:
        path.write_bytes(b"broken")
    done, folder = run()
    assert (done.status, done.out) == (2, "")
    assert "2 of the 60 test samples cannot be read, more than 1%" in done.err
    assert (folder / "checkpoints" / "last" / "weights.safetensors").is_file()
    assert not (folder / "results.json").exists()


def test_a_test_split_that_does_not_fit_is_noticed_before_training(run, tmp_path):
    save_pictures(tmp_path / "pictures" / "train" / "cat", 0, 30, seed=0)
    save_pictures(tmp_path / "pictures" / "train" / "dog", 1, 30, seed=1)
    save_pictures(tmp_path / "pictures" / "test" / "wolf", 2, 9, seed=2)
    save_pictures(tmp_path / "pictures" / "test" / "dog", 1, 9, seed=3)
    done, folder = run()
    assert done.status == 2
    assert done.err == (
        f"error: --set: data.root: {tmp_path}/pictures/test: the classes wolf are not among those of train/: cat, dog\n"
    )
    assert folder is None
