"""Numbers and features are of the data as they are: what changes in place is said, and nothing stale is used."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import coview
from coview.experiment.folders import existing_folder
from forked import Forked

CLASSES = ("cat", "dog")


def paint(root, halves=False, count=20, start=0, seed=0):
    """Pictures of noise, or with a bright half, another for each class."""
    rng = np.random.default_rng(seed)
    for at, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(start, count):
            noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            bright = np.broadcast_to(((np.arange(8) < 4) == at)[:, None, None] * np.uint8(235), noise.shape)
            pixels = np.ascontiguousarray(bright) if halves else noise
            Image.fromarray(pixels).save(root / name / f"{index:03}.png")


@pytest.fixture
def recipe(write_recipe, small_recipe, tmp_path):
    paint(tmp_path / "pictures")
    text = small_recipe.replace('use = "digits"', 'use = "image_folder"\nroot = "pictures"')
    return write_recipe(text.replace("batch_size = 32", "batch_size = 8").replace("steps = 6", "steps = 2"))


def accuracies(folder):
    rows = json.loads((folder / "results.json").read_text())["results"]
    return {(row["kind"], row["protocol_hash"]): row["value"] for row in rows}


def test_pictures_that_were_replaced_are_embedded_again_and_it_is_said(call, recipe, tmp_path):
    assert call("run", recipe).status == 0
    folder = existing_folder(tmp_path / "runs" / "small").path
    before = accuracies(folder)
    features = {p.relative_to(folder): load_file(p)["x_ND"] for p in (folder / "features").rglob("*.safetensors")}
    paint(tmp_path / "pictures", halves=True)
    done = call("evaluate", folder)
    assert done.status == 0
    assert "warning: the data have changed since" in done.err
    assert 'the data "image_folder" have changed since their features were made' in done.err
    after = {key: value for key, value in accuracies(folder).items() if key not in before}
    assert {kind for kind, _ in after} == {"pretrained", "untrained", "raw"}
    assert all(value == 1.0 for value in after.values()), "of a class all are equal now"
    for path, old in features.items():
        assert not np.array_equal(load_file(folder / path)["x_ND"], old), path
    again = call("evaluate", folder)
    assert "features were made" not in again.err


def test_what_was_only_touched_is_not_embedded_again(call, recipe, tmp_path):
    assert call("run", recipe).status == 0
    folder = existing_folder(tmp_path / "runs" / "small").path
    times = {path: path.stat().st_mtime_ns for path in (folder / "features").rglob("*.safetensors")}
    for path in (tmp_path / "pictures").rglob("*.png"):
        path.touch()
    done = call("evaluate", folder)
    assert (done.status, "changed" in done.err) == (0, False)
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.usefixtures("forks")
def test_a_run_does_not_go_on_with_other_data(recipe, tmp_path, call):
    text = (
        recipe.read_text().replace("steps = 2", "steps = 5000").replace("checkpoint_every = 3", "checkpoint_every = 1")
    )
    recipe.write_text(text)
    run = Forked(["coview", "run", str(recipe), "--out", "runs"], tmp_path, together=True)
    for _ in range(600):
        time.sleep(0.1)
        if list(tmp_path.glob("runs/small/*/checkpoints/step-*/manifest.json")) or not run.process.is_alive():
            break
    os.kill(run.process.pid, signal.SIGINT)
    status, said, _ = run.finish(60)
    assert status == 130, said
    paint(tmp_path / "pictures", count=25, start=20, seed=1)
    done = call("run", recipe, "--out", "runs", "--resume")
    assert done.status == 2
    assert "the data have changed since" in done.err
    assert "they were 40 files " in done.err
    assert "and are 50 files " in done.err
    assert "without --resume" in done.err
    assert len(list((tmp_path / "runs" / "small").glob("*"))) == 1


def test_a_finished_run_says_that_its_data_have_changed(call, recipe, tmp_path):
    assert call("run", recipe, "--out", "runs").status == 0
    same = call("run", recipe, "--out", "runs", "--resume")
    assert (same.status, "changed" in same.err) == (0, False)
    paint(tmp_path / "pictures", count=25, start=20, seed=1)
    grown = call("run", recipe, "--out", "runs", "--resume")
    assert grown.status == 0
    assert "they were 40 files " in grown.err
    assert "without --resume a new run starts" in grown.err
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    gone = call("run", recipe, "--out", "runs", "--resume")
    assert gone.status == 0
    assert "it is not known whether" in gone.err
    assert len(list((tmp_path / "runs" / "small").glob("*"))) == 1


TABLE = "text,topic,mood\n" + "".join(
    f"word{i} word{i % 7} word{i % 5},{'abcd'[i % 4]},{'xy'[i % 2]}\n" for i in range(80)
)

TEXTS = """\
schema = 1
name = "texts"
[data]
use = "text_table"
path = "train.csv"
LINES
workers = 0
[[augment]]
use = "random_deletion"
[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2
max_length = 16
[projector]
hidden = 8
width = 8
[loss]
use = "nt_xent"
[train]
steps = 0
batch_size = 8
device = "cpu"
[[evaluate]]
use = "knn"
k = 3
"""


def test_the_protocol_hash_tells_labels_and_test_files_apart(call, write_recipe, tmp_path):
    (tmp_path / "train.csv").write_text(TABLE)
    lines = TABLE.splitlines(keepends=True)
    for name, rows in (("one", lines[1:30]), ("two", lines[30:60])):
        (tmp_path / f"{name}.csv").write_text("".join([lines[0], *rows]))
    hashes = {}
    for lines_ in (
        'label = "topic"',
        'label = "mood"',
        'label = "topic"\nsplit_seed = 1',
        'label = "topic"\ntest_path = "one.csv"',
        'label = "topic"\ntest_path = "two.csv"',
    ):
        recipe = write_recipe(TEXTS.replace("LINES", lines_))
        assert call("run", recipe, "--out", f"runs{len(hashes)}").status == 0
        (results,) = (tmp_path / f"runs{len(hashes)}").glob("texts/*/results.json")
        rows = json.loads(results.read_text())["results"]
        (hashes[lines_],) = {row["protocol_hash"] for row in rows}
    assert len(set(hashes.values())) == len(hashes), hashes
    recipe = write_recipe(TEXTS.replace("LINES", 'label = "topic"'))
    (tmp_path / "moved").mkdir()
    (tmp_path / "train.csv").rename(tmp_path / "moved" / "train.csv")
    assert call("run", recipe, "--out", "runsm", "--set", "data.path=moved/train.csv", "--set", "seed=7").status == 0
    (results,) = tmp_path.glob("runsm/texts/*/results.json")
    moved = {row["protocol_hash"] for row in json.loads(results.read_text())["results"]}
    assert moved == {hashes['label = "topic"']}, (
        "the same question, wherever the file lies, and whatever the run's seed"
    )


def test_another_label_of_a_strangers_data_is_another_question(registry, small_run, tmp_path):
    """Whatever the version says: the rows and labels that the numbers are of count."""
    rows = small_run.results[0].protocol["rows"]
    assert set(rows) == {"train", "test"}
    digits = coview.load_plugins().build("dataset", "digits", supplied={"split": "test"}, split_seed=1)
    recipe = coview.load_recipe(
        small_run.folder.recipe, registry=registry, overrides={"data.split_seed": 1, "train.steps": 1}
    )
    other = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert digits.version == coview.load_plugins().build("dataset", "digits", supplied={"split": "test"}).version
    assert other.results[0].protocol["rows"] != rows
    assert other.results[0].protocol_hash != small_run.results[0].protocol_hash


def test_rows_that_cannot_be_used_are_refused_before_training_where_they_are_many(call, write_recipe, tmp_path):
    (tmp_path / "train.csv").write_text(TABLE)
    (tmp_path / "test.csv").write_text(TABLE + ",a topic without a text,x\n" * 3)
    done = call("run", write_recipe(TEXTS.replace("LINES", 'label = "topic"\ntest_path = "test.csv"')))
    assert done.status == 2
    assert "3 of the 83 test samples cannot be read, more than 1%" in done.err
    assert 'test.csv:82: no "text"' in done.err
    assert not (tmp_path / "runs").exists()


def test_samples_without_a_class_are_trained_on_and_not_evaluated(call, write_recipe, small_recipe, tmp_path):
    for split, count, lacking in (("train", 40, 5), ("test", 20, 3)):
        with tarfile.open(tmp_path / f"{split}.tar", "w") as archive:
            for row in range(count):
                buffer = io.BytesIO()
                Image.fromarray(np.random.default_rng(row).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(
                    buffer, "PNG"
                )
                files = {f"{row:03}.png": buffer.getvalue()} | (
                    {} if row < lacking else {f"{row:03}.cls": b"%d" % (row % 2)}
                )
                for name, content in files.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
    data = 'use = "image_shards"\ntrain = "train.tar"\ntest = "test.tar"'
    text = small_recipe.replace('use = "digits"', data).replace("batch_size = 32", "batch_size = 40")
    done = call("run", write_recipe(text.replace("steps = 6", "steps = 2") + '[[evaluate]]\nuse = "geometry"\n'))
    assert done.status == 0
    assert "5 of 40 train samples have no class: parts that need one leave them out" in done.err
    (results,) = tmp_path.glob("runs/small/*/results.json")
    rows = json.loads(results.read_text())["results"]
    assert {row["n"] for row in rows if row["evaluator"] == "knn"} == {17}
    assert {row["n"] for row in rows if row["evaluator"] == "geometry"} == {20}
