"""The loop around looks: what is run, what a budget stops, what an interruption changes. Runs are written by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from fabricated_runs import result, write_run

from coview.compare.cells import find_cells
from coview.compare.needed_cells import needed_cells
from coview.compare.report import write_comparison_report
from coview.compare.until_decided import run_until_decided
from coview.errors import CoviewError, Interrupted, RecipeError
from coview.launch.job import Done
from coview.recipe.comparison import load_comparison
from coview.recipe.load import load_recipe
from coview.recipe.snapshot import flatten, hashed_part

SWEEP = """
[compare]
metric = "knn/accuracy"
until = "decided"
{more}
[sweep.grid]
"loss.temperature" = [0.1, 0.2, 0.5]
seed = [0, 1, 2, 3, 4, 5, 6, 7]
"""
MEANS = {0.1: 0.8, 0.2: 0.803, 0.5: 0.4}


@dataclass
class ByHand:
    """Writes runs, and breaks off after so many."""

    registry: object
    local_processes = 0
    most: int = 10**9
    crash: float = 0.0
    made: list[str] = field(default_factory=list)

    def launch(self, jobs, /):
        for job in jobs:
            if len(self.made) >= self.most:
                raise Interrupted("the comparison was interrupted")
            self.made.append(job.name)
            recipe = load_recipe(job.recipe, self.registry)
            temperature = flatten(hashed_part(recipe.tables))["loss.temperature"]
            if temperature == self.crash:
                yield Done(job, "failed", "it diverged", 1.0)
                continue
            value = MEANS[temperature] + float(
                np.random.default_rng([recipe.seed, int(temperature * 10)]).normal(0, 0.01)
            )
            path = job.out / recipe.name / f"20260101-000000-{recipe.hash[:6]}"
            run = write_run(path, [result("pretrained", value)])
            shutil.copy(job.recipe, run.recipe)
            document = json.loads(run.results.read_text())
            run.results.write_text(json.dumps({**document, "recipe_hash": recipe.hash}))
            run.environment.write_text(json.dumps({"finished": "2026-01-01", "coview": "0.1.0"}))
            yield Done(job, "done", "", 60.0)


@pytest.fixture
def load(write_recipe, small_recipe, registry):
    return lambda more="": load_comparison(write_recipe(small_recipe + SWEEP.format(more=more)), registry=registry)


def decided(comparison, out, registry, launcher):
    said = []
    ran, cells = run_until_decided(comparison, out, registry, launcher, say=said.append)
    written = write_comparison_report(ran, cells, out / "report")
    return {cell.cell.name for cell in cells}, written.analysis.modalities[0], said


@pytest.mark.slow
def test_undecided_pairs_get_seeds_and_decided_ones_none(load, registry, tmp_path):
    cells, analysis, said = decided(load(), tmp_path, registry, ByHand(registry))
    counts = {t: sum(name.startswith(t) for name in cells) for t in ("0.1", "0.2", "0.5")}
    assert counts == {"0.1": 8, "0.2": 8, "0.5": 3}
    assert "small: 1 pairs undecided, 4 more cells for the next look" in said
    assert "cannot be told apart" in analysis.verdict
    assert any("Seeds were added until decided: 3 looks, 2 of 3 pairs decided." in each for each in analysis.cautions)


@pytest.mark.slow
def test_interrupted_and_continued_is_the_same(load, registry, tmp_path):
    _, at_once, _ = decided(load(), tmp_path / "at once", registry, ByHand(registry))
    for most in (2, 5, 7):
        with pytest.raises(Interrupted):
            run_until_decided(load(), tmp_path / "again", registry, ByHand(registry, most), say=lambda text: None)
    _, other, _ = decided(load(), tmp_path / "again", registry, ByHand(registry))
    assert other.pairs == at_once.pairs
    assert other.verdict == at_once.verdict


def test_a_number_of_cells_is_never_exceeded(load, registry, tmp_path):
    launcher = ByHand(registry)
    cells, _, said = decided(load("budget = 14"), tmp_path, registry, launcher)
    assert len(cells) == len(launcher.made) == 13
    assert "small: the budget is spent, 1 pairs undecided: it takes 19 cells in all, of 14" in said
    more = ByHand(registry)
    decided(load("budget = 19"), tmp_path, registry, more)
    assert len(more.made) == 6


@pytest.mark.slow
def test_a_time_of_training_is_a_budget_too(load, registry, tmp_path):
    """Runs by hand take a minute each."""
    launcher = ByHand(registry)
    _, _, said = decided(load('budget = "13m"'), tmp_path, registry, launcher)
    assert len(launcher.made) == 13
    assert any("the budget is spent" in line for line in said)


@pytest.mark.parametrize(("budget", "made"), [("8", 0), ('"30s"', 1)])
def test_a_budget_that_pays_for_no_look_is_refused(load, registry, tmp_path, budget, made):
    launcher = ByHand(registry)
    with pytest.raises(CoviewError, match="is too small for the first look"):
        run_until_decided(load(f"budget = {budget}"), tmp_path, registry, launcher, say=lambda text: None)
    assert len(launcher.made) == made  # one says how long they take


@pytest.mark.slow
def test_a_variant_that_crashes_is_tried_once_and_holds_up_nothing(load, registry, tmp_path):
    launcher = ByHand(registry, crash=0.5)
    _, analysis, _ = decided(load(), tmp_path, registry, launcher)
    assert len(launcher.made) == len(set(launcher.made))
    assert {pair.first + pair.second for pair in analysis.pairs} <= {"0.10.2", "0.20.1"}


def test_what_is_there_is_reported_without_running(load, registry, tmp_path):
    comparison = load()
    assert len(needed_cells(comparison, find_cells(comparison, tmp_path, registry)).comparison.cells) == 9


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("budget = 0", "greater than or equal to 1|at least 1"),
        ('budget = "soon"', "budget"),
        ('test = "wilcoxon"', 'test = "model" alone allows for'),
        ("margin = -0.1", "margin"),
    ],
)
def test_mistakes(load, more, words):
    with pytest.raises(RecipeError, match=words):
        load(more)


def test_fewer_seeds_than_a_look_needs_are_refused(write_recipe, small_recipe, registry, tmp_path):
    text = small_recipe + SWEEP.format(more="").replace("[0, 1, 2, 3, 4, 5, 6, 7]", "[0, 1]")
    comparison = load_comparison(write_recipe(text), registry=registry)
    with pytest.raises(CoviewError, match="looks at 3 seeds first, and the sweep has 2"):
        run_until_decided(comparison, tmp_path, registry, ByHand(registry), say=lambda text: None)
    plain = load_comparison(write_recipe(text.replace('until = "decided"', "")), registry=registry)
    assert plain.until is None
