"""Equal tuning: as many trials of each variant, on validation alone, and fresh seeds for what is tested."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import coview
from coview.compare import tuning
from coview.compare.run_missing import run_missing
from coview.compare.trials import arm_of, trials_of
from coview.compare.tuned_by import tunings_of
from coview.compare.tuning import tune
from coview.launch.job import run_job
from coview.recipe.comparison import load_comparison
from coview.track.metrics_file import read_metrics, split_lines

EVALUATE = '\n[[evaluate]]\nuse = "linear_probe"\n'
COMPARE = '\n[compare]\nmetric = "knn/accuracy"\nvariant = "loss"\n'
SWEEP = '\n[sweep.grid]\nseed = [0, 1]\n\n[[sweep.zip]]\nlabel = "plain"\n"projector.width" = 8\n' \
    '[[sweep.zip]]\nlabel = "narrow"\n"projector.width" = 4\n'  # fmt: skip
RANGE = '\n[tune]\ntrials = 64\n[tune.choose]\n"optimizer.lr" = { low = 1e-3, high = 1.0, log = true }\n'


@pytest.fixture
def comparison(write_recipe, small_recipe, registry):
    def load(tune, sweep=SWEEP, compare=COMPARE, small=small_recipe):
        return load_comparison(write_recipe(small + EVALUATE + compare + sweep + tune), registry=registry)

    return load


def test_every_combination_is_tried_by_each_variant_with_a_seed_that_is_not_tested(comparison, registry):
    asked = comparison(
        '\n[tune]\nseed = 77\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2]\n"loss.temperature" = [0.3, 0.5, 1.0]\n'
    )
    trials = trials_of(asked, registry)
    for variant in ("plain", "narrow"):
        tried = [trial for trial in trials if trial.arm == ("", variant)]
        assert [tuple(t.values.values()) for t in tried] == list(product([0.1, 0.2], [0.3, 0.5, 1.0]))
        for trial in tried:
            recipe = trial.cell.recipe
            assert recipe.seed == 77
            assert recipe.projector["image"].parameters["width"] == {"plain": 8, "narrow": 4}[variant]
            assert recipe.optimizer.parameters["lr"] == trial.values["optimizer.lr"]
            assert recipe.loss[0].parameters["temperature"] == trial.values["loss.temperature"]
            assert [(table.use, table.test, table.parameters["k"]) for table in recipe.evaluate] == [("knn", False, 5)]
    assert len({trial.cell.recipe.hash for trial in trials}) == len(trials) == 12


def test_a_range_is_spread_evenly_over_its_logarithm_alike_for_all(comparison, registry):
    trials = trials_of(comparison(RANGE), registry)
    of = {v: [t.values["optimizer.lr"] for t in trials if t.arm[1] == v] for v in ("plain", "narrow")}
    assert of["plain"] == of["narrow"]
    place = np.log(np.array(of["plain"]) / 1e-3) / math.log(1e3)
    assert len(place) == 64
    assert stats.kstest(place, "uniform").statistic < 0.05  # of a random draw 0.1 on average
    assert all(float(f"{value:.4g}") == value and 1e-3 <= value <= 1.0 for value in of["plain"])
    fewer = (
        '\n[tune]\ntrials = 5\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2, 0.3]\n"loss.temperature" = [0.3, 0.5, 1.0]\n'
    )
    some = [tuple(t.values.values()) for t in trials_of(comparison(fewer), registry) if t.arm[1] == "plain"]
    assert len(set(some)) == 5


@pytest.mark.parametrize(
    ("tune", "says"),
    [
        ('[tune.variants.plian]\n"optimizer.lr" = [0.1, 0.2]', 'no variant is called "plian", did you mean "plain"'),
        ('[tune.variants.plain]\n"optimizer.lr" = [0.1, 0.2]', "variants would have different numbers of trials: plain 2, narrow 1"),
        ('[tune]\ntrials = 9\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2]', "9 trials of 2 combinations of optimizer.lr"),
        ('[tune.choose]\n"optimizer.lr" = { low = 0.1, high = 0.2 }', "has to say how many trials"),
        ('[tune.choose]\nseed = [4, 5]', '"seed" is swept over'),
        ('[tune.choose]\n"evaluate.0.k" = [4, 5]', "defines how every variant is measured"),
        ('[tune]\nseed = 1\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2]', "1 is a seed of the sweep"),
        ('[tune]\nmetric = "cka/same"\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2]', 'no evaluator "cka"'),
        ('[tune.choose]\n"optimizer.lr" = [0.1, "fast"]', "optimizer.lr=fast"),
        ('[tune.choose]\n"optimizer.lr" = { low = 2.0, high = 1.0 }', "low = 2 has to be less than high = 1"),
        ('[tune.choose]\n"optimizer.lr" = { low = 0.0, high = 1.0, log = true }', "has no logarithm"),
        ('[tune.choose]\n"optimizer.lr" = []', '"optimizer.lr" has to be a list of values, or a range'),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused_before_anything_runs(comparison, registry, tune, says):
    with pytest.raises(coview.CoviewError) as error:
        trials_of(comparison(f"\n{tune}\n"), registry)
    assert says in f"{error.value}"


class Scored:
    """Trials with scores, in place of runs: a score for each rate, or none."""

    def __init__(self, monkeypatch, scores, better="higher"):
        rank = -1 if better == "higher" else 1

        def found(asked, *_rest, **_options):
            cells = []
            for cell in asked.cells:
                value = scores.get((cell.variant.split(" · ")[0], cell.recipe.optimizer.parameters["lr"]))
                run = None if value is None else SimpleNamespace(checkpoints=value)
                cells.append(SimpleNamespace(run=run, out=Path("runs"), reason="it crashed" if value is None else ""))
            return cells

        monkeypatch.setattr(tuning, "run_missing", found)
        monkeypatch.setattr(
            tuning, "best_by", lambda value, *_: SimpleNamespace(score=SimpleNamespace(value=value, rank=rank * value))
        )


TWO = '\n[tune.choose]\n"optimizer.lr" = [0.1, 0.2, 0.3]\n'


@pytest.mark.parametrize(("better", "chosen"), [("higher", 0.2), ("lower", 0.1)])
def test_each_variant_takes_its_best_and_the_tested_cells_have_it(
    comparison, registry, tmp_path, monkeypatch, better, chosen
):
    rates = {("plain", 0.1): 0.3, ("plain", 0.2): 0.9, ("plain", 0.3): 0.9, ("narrow", 0.3): 0.4}
    Scored(monkeypatch, rates, better)
    said = []
    asked = comparison(TWO)
    tuned = tune(asked, tmp_path, registry, launcher=object(), say=said.append)
    plain, narrow = tuned.choices
    assert (plain.values, plain.tried, plain.typical) == ({"optimizer.lr": chosen}, 3, 0.9)
    assert (narrow.values, narrow.tried, narrow.trials) == ({"optimizer.lr": 0.3}, 1, 3)
    assert "2 failed: it crashed" in narrow.in_words()
    assert [cell.recipe.seed for cell in tuned.comparison.cells] == [cell.recipe.seed for cell in asked.cells]
    for cell, before in zip(tuned.comparison.cells, asked.cells, strict=True):
        assert cell.recipe.optimizer.parameters["lr"] == (chosen if cell.variant == "plain" else 0.3)
        assert [table.test for table in cell.recipe.evaluate] == [True, True]
        assert cell.recipe.hash != before.recipe.hash
    written = json.loads((tmp_path / "small" / "tuning.json").read_text())
    assert written["metric"] == "knn/accuracy"
    assert [row["chosen"] for row in written["choices"]] == [{"optimizer.lr": chosen}, {"optimizer.lr": 0.3}]


def test_a_variant_whose_trials_all_fail_is_left_out_and_named(comparison, registry, tmp_path, monkeypatch):
    Scored(monkeypatch, {("plain", 0.1): 0.3})
    tuned = tune(comparison(TWO), tmp_path, registry, launcher=object(), say=lambda text: None)
    assert {arm_of(cell) for cell in tuned.comparison.cells} == {("", "plain")}
    assert [found.cell.variant for found in tuned.left_out] == ["narrow", "narrow"]
    assert all("none of its 3 trials has a number: it crashed" in found.reason for found in tuned.left_out)
    Scored(monkeypatch, {})
    with pytest.raises(
        coview.CoviewError, match="none of 6 trials has a number, and nothing can be chosen: it crashed"
    ):
        tune(comparison(TWO), tmp_path, registry, launcher=object(), say=lambda text: None)


def test_without_runs_what_is_not_chosen_yet_is_said(comparison, registry, tmp_path):
    with pytest.raises(coview.CoviewError, match="6 of 6 trials have not been run"):
        tune(comparison(TWO), tmp_path, registry, None)
    untuned = comparison("")
    assert tune(untuned, tmp_path, registry, None).comparison is untuned


class InThisProcess:
    local_processes = 1

    def launch(self, jobs):
        yield from map(run_job, jobs)


@pytest.mark.slow
def test_trials_look_at_validation_alone_and_are_not_run_again(comparison, registry, tmp_path):
    asked = comparison('\n[tune.choose]\n"optimizer.lr" = [0.001, 0.05]\n', sweep="\n[sweep.grid]\nseed = [0, 1]\n")
    said = []
    tuned = tune(asked, tmp_path, registry, InThisProcess(), say=said.append)
    folders = sorted((tmp_path / "small" / "runs").rglob("results.json"))
    assert len(folders) == 2
    scores = {}
    for file in folders:
        assert json.loads(file.read_text())["results"] == []  # nothing of test
        points = split_lines(read_metrics(Path(file.parent / "metrics.jsonl")))[1]
        assert [point["step"] for point in points] == [0, 6]
        rate = coview.load_recipe(file.parent / "recipe.toml", registry=registry).optimizer.parameters["lr"]
        scores[rate] = points[-1]["knn/accuracy"]
    (choice,) = tuned.choices
    assert choice.score == pytest.approx(max(scores.values()))
    assert scores[choice.values["optimizer.lr"]] == max(scores.values())
    assert choice.typical == pytest.approx(sum(scores.values()) / 2)
    again = []
    assert tune(asked, tmp_path, registry, None, say=again.append).choices == tuned.choices
    cells = run_missing(tuned.comparison, tmp_path, registry, InThisProcess(), say=said.append)
    assert all(json.loads(cell.run.results.read_text())["results"] for cell in cells)
    assert [tunings_of(cell.run) for cell in cells] == [[tuned.comparison.tuned_by]] * 2
    assert not any((file.parent / "tuned_by.json").exists() for file in folders)
