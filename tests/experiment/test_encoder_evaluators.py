"""Evaluators that need the encoder itself, in a run."""

from __future__ import annotations

import json

import coview

EVALUATE = """
[[evaluate]]
use = "finetune"
labels_per_class = 4
draws = 1
epochs = 1

[[evaluate]]
use = "robustness"
augmentation = "gaussian_blur"
levels = [{ sigma = [0.5, 0.5] }, { sigma = [2.0, 2.0] }]

[[evaluate]]
use = "cost"
repeats = 5
target_loss = 1000
"""


def test_they_stand_in_the_results_beside_their_controls(write_recipe, small_recipe, tmp_path):
    recipe = coview.load_recipe(write_recipe(small_recipe + EVALUATE))
    run = coview.run(recipe, tmp_path / "runs", quiet=True)
    rows = json.loads((run.path / "results.json").read_text())["results"]
    features = {}
    for row in rows:
        features.setdefault((row["evaluator"], row["metric"]), []).append(row["kind"])
    assert features["finetune", "accuracy"] == ["pretrained", "untrained"]
    assert features["robustness", "accuracy"] == [kind for kind in ("pretrained", "untrained", "raw") for _ in range(3)]
    assert features["cost", "parameters"] == ["pretrained", "untrained"]
    first = json.loads((run.path / "metrics.jsonl").read_text().splitlines()[0])
    (seconds,) = (row for row in rows if row["metric"] == "seconds_to_loss")
    assert (seconds["kind"], seconds["value"]) == ("pretrained", first["time"])
    blurred = [row for row in rows if row["evaluator"] == "robustness" and row["kind"] == "raw"]
    assert [row["protocol"].get("parameters") for row in blurred] == [
        None,
        {"sigma": [0.5, 0.5]},
        {"sigma": [2.0, 2.0]},
    ]
    page = (run.path / "report.html").read_text()
    assert "sigma = [2.0, 2.0]" in page
