"""A published number of the weights that validation has chosen: those, and no others, are measured on test."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

import coview
from coview.track.metrics_file import read_metrics, split_lines
from coview_text.datasets.table import TextTable

RECIPE = """\
schema = 1
name = "chosen"

[data]
use = "text_lines"
path = "lines.txt"
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
dropout = 0.3

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "adamw"
lr = 0.02

[train]
steps = 12
batch_size = 16
precision = "fp32"
device = "cpu"
keep_best = "similarity/spearman"

[[evaluate]]
use = "similarity"
every = 3

[evaluate.data]
use = "text_table"
path = "judged-train.csv"
test_path = "judged-test.csv"
validation_path = "judged-dev.csv"
text = "a"
pair = "b"
score = "score"

[paper.result]
metric = "similarity/spearman"
value = -1.0
tolerance = 0.01
step = "best"
seeds = 2
source = "us"
"""


@pytest.fixture
def recipe(tmp_path):
    generator = np.random.default_rng(0)
    words = [f"word{i}" for i in range(40)]

    def text():
        return " ".join(generator.choice(words, size=6))

    (tmp_path / "lines.txt").write_text("\n".join(text() for _ in range(120)))
    for split in ("train", "dev", "test"):
        with (tmp_path / f"judged-{split}.csv").open("w", newline="") as file:
            rows = [(text(), text(), round(float(generator.uniform(0, 5)), 2)) for _ in range(30)]
            csv.writer(file).writerows([("a", "b", "score"), *rows])
    path = tmp_path / "chosen.toml"
    path.write_text(RECIPE)
    return path


def runs_of(folder):
    return {run.recipe.seed: run for run in map(coview.load_run, sorted(folder.glob("chosen/runs/*/*/*-*")))}


def by_hand(run, step, path):
    """Spearman's correlation of cosines and judgements, by scipy, of a checkpoint's representations."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    data = TextTable(split="test", path=path, test_path=path, text="a", pair="b", score="score")
    of = coview.embed(coview.load_run(run.path, step=step), data).numpy().astype(np.float64)
    place = {data[i]["text"]: i for i in range(len(data))}
    a, b = (np.stack([of[place[row[column]]] for row in rows]) for column in ("a", "b"))
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return spearmanr(cosines, [float(row["score"]) for row in rows]).statistic


@pytest.mark.slow
def test_the_checkpoint_that_is_best_on_validation_is_measured_on_test(call, recipe, tmp_path):
    done = call("reproduce", recipe)
    assert done.status == 0, done.err
    assert "here: the number of the weights that train.keep_best has kept" in done.out
    runs = runs_of(tmp_path / "runs")
    assert set(runs) == {0, 1}
    chosen, values = [], []
    for run in runs.values():
        curve = {row["step"]: row["similarity/spearman"] for row in split_lines(read_metrics(run.folder.metrics))[1]}
        assert sorted(curve) == [0, 3, 6, 9, 12]
        best = max(set(curve) - {0}, key=lambda step: (curve[step], -step))  # of the untrained encoder none is kept
        assert curve[best] == pytest.approx(by_hand(run, best, tmp_path / "judged-dev.csv"), abs=1e-6)
        chosen.append(best)
        values.append(by_hand(run, best, tmp_path / "judged-test.csv"))
        at_the_end = [r.value for r in run.results if (r.name, r.kind) == ("similarity/spearman", "pretrained")]
        assert at_the_end == [pytest.approx(by_hand(run, 12, tmp_path / "judged-test.csv"), abs=1e-6)]
    assert chosen != [12, 12], "else this test could not tell the best from the last"
    listed = next(line for line in done.out.splitlines() if "here, by seed" in line)
    assert listed == f"  here, by seed: {' '.join(f'{v:.4g}' for v in values)}; mean {np.mean(values):.4g}"

    again = call("reproduce", recipe)
    assert "are measured" in done.out
    assert "are measured" not in again.out
    for run in runs.values():
        for path in run.path.glob("results-step-*.json"):
            path.unlink()
    refused = call("reproduce", recipe, "--no-run")
    assert refused.status == 2
    assert "its best weights are not measured yet: coview evaluate" in refused.err


@pytest.mark.slow
def test_a_run_that_was_without_the_curve_has_no_best_weights(call, recipe):
    without = recipe.with_name("without.toml")
    text = RECIPE.replace('keep_best = "similarity/spearman"\n', "").replace("every = 3\n", "")
    without.write_text(text.replace('step = "best"\n', ""))
    assert call("reproduce", without).status == 0
    done = call("reproduce", recipe)
    assert done.status == 2
    assert "no checkpoint has a point of similarity/spearman; move " in done.err


def test_the_best_weights_are_of_a_curve(registry, recipe):
    recipe.write_text(RECIPE.replace('keep_best = "similarity/spearman"\n', ""))
    with pytest.raises(coview.RecipeError, match=r'paper\.result\.step: "best" needs train\.keep_best, and there is'):
        coview.load_recipe(recipe, registry=registry)


def test_judged_pairs_without_a_split_that_validates_are_told_how_to_have_one(call, recipe):
    recipe.write_text(RECIPE.replace('validation_path = "judged-dev.csv"\n', ""))
    done = call("recipe", "check", recipe, "--build")
    assert done.status == 2
    assert "evaluate.0.every: similarity cannot measure while training" in done.err
    assert "validation_path = a file" in done.err
