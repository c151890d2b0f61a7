"""What no cell of a comparison could do is said once, in a line, and not once for each cell."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from fabricated_runs import result, write_run
from PIL import Image

import coview
from coview.compare import sharing as sharing_module
from coview.compare.needed_cells import needed_cells
from coview.compare.run_missing import run_missing
from coview.compare.tuning import tune
from coview.launch.job import Done, run_job
from coview.recipe.comparison import load_comparison
from coview.recipe.load import load_recipe

SWEEP = '\n[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\nseed = [0, 1, 2]\n'
COMPARE = '\n[compare]\nmetric = "knn/accuracy"\n'
TUNE = '\n[tune.choose]\n"optimizer.lr" = [0.01, 0.05]\n'


class Launched:
    """Counts jobs, makes them by a function, and knows whether it was closed before its end."""

    def __init__(self, make, local_processes=1):
        self.make, self.local_processes = make, local_processes
        self.jobs, self.closed = [], False

    def launch(self, jobs, /):
        try:
            for job in jobs:
                self.jobs.append(job.name)
                yield self.make(job)
        except GeneratorExit:
            self.closed = True
            raise


def failing(job):
    return Done(job, "failed", "it was run", 1.0)


@pytest.fixture
def load(write_recipe, small_recipe, registry):
    def load(more, small=small_recipe):
        return load_comparison(write_recipe(small + more), registry=registry)

    return load


@pytest.fixture
def few(tmp_path):
    """A folder of pictures whose train split is too small to hold any out."""
    for split, count in (("train", 1), ("test", 3)):
        for name in ("a", "b"):
            (tmp_path / "few" / split / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (40 * number, 9, 9)).save(tmp_path / "few" / split / name / f"{number}.png")
    return tmp_path / "few"


def of_folder(small_recipe, root):
    return small_recipe.replace('use = "digits"', f'use = "image_folder"\nroot = "{root}"')


@pytest.mark.parametrize("tuned", [True, False])
def test_data_that_are_not_there_are_missed_once(call, write_recipe, small_recipe, tmp_path, tuned):
    path = write_recipe(of_folder(small_recipe, "nowhere") + COMPARE + SWEEP + TUNE * tuned)
    done = call("compare", path, "--out", tmp_path / "runs")
    assert done.status == 2
    (message, *_) = done.err.splitlines()
    assert "no cell is run" in message
    assert f"{path}:7: data.root" in message
    assert done.err.count("there is no such folder") == 1
    assert not list((tmp_path / "runs").rglob("recipe.*"))


def test_each_distinct_data_set_is_tried(load, registry, tmp_path):
    """And no cell of those whose data are there is run either: the comparison would lack the others."""
    sweep = '\n[[sweep.zip]]\nlabel = "there"\n[[sweep.zip]]\nlabel = "lost"\n"data.use" = "image_folder"\n"data.root" = "gone"\n'
    launcher = Launched(failing)
    with pytest.raises(coview.CoviewError, match=r"no cell is run: .*gone"):
        run_missing(load(COMPARE + sweep), tmp_path, registry, launcher, say=lambda text: None)
    assert launcher.jobs == []
    elsewhere = Launched(failing, local_processes=0)  # another machine may have them
    cells = run_missing(load(COMPARE + sweep), tmp_path, registry, elsewhere, say=lambda text: None)
    assert len(elsewhere.jobs) == 2
    assert [cell.reason for cell in cells] == ["it was run"] * 2


def test_without_a_validation_split_nothing_is_tuned(load, small_recipe, few, registry, tmp_path):
    launcher = Launched(failing)
    small = of_folder(small_recipe, few).replace("batch_size = 32", "batch_size = 2")
    with pytest.raises(coview.CoviewError) as error:
        tune(load(COMPARE + SWEEP + TUNE, small), tmp_path, registry, launcher, say=lambda text: None)
    assert "no cell is run" in error.value.message
    assert "cannot measure while training" in error.value.message
    assert launcher.jobs == []


def by_hand(registry, numbers):
    def make(job):
        recipe = load_recipe(job.recipe, registry)
        run = write_run(job.out / recipe.name / f"20260101-000000-{recipe.hash[:6]}", numbers())
        shutil.copy(job.recipe, run.recipe)
        run.results.write_text(json.dumps({**json.loads(run.results.read_text()), "recipe_hash": recipe.hash}))
        run.environment.write_text(json.dumps({"finished": "2026-01-01", "coview": "0.1.0"}))
        return Done(job, "done", "", 60.0)

    return make


def test_a_number_that_runs_have_not_is_said_when_the_first_has_ended(load, registry, tmp_path):
    compared = load(COMPARE.replace("accuracy", "acuracy") + SWEEP)
    launcher = Launched(by_hand(registry, lambda: [result("pretrained", 0.5)]))
    said = []
    for jobs in (1, 1):  # and again at once, of the run that is there
        with pytest.raises(coview.CoviewError) as error:
            run_missing(compared, tmp_path, registry, launcher, say=said.append)
        assert 'no number knn/acuracy, did you mean "knn/accuracy"?' in error.value.message
        assert error.value.hint == "compare.metric may be: knn/accuracy"
        assert len(launcher.jobs) == jobs
    assert launcher.closed
    right = Launched(launcher.make)
    run_missing(load(COMPARE + SWEEP), tmp_path, registry, right, say=said.append)
    assert len(right.jobs) == 5


def test_one_run_without_the_number_that_others_have_stops_nothing(load, registry, tmp_path):
    numbers = iter([[result("pretrained", 0.5)], *[[]] * 5])
    launcher = Launched(by_hand(registry, lambda: next(numbers)))
    run_missing(load(COMPARE + SWEEP), tmp_path, registry, launcher, say=lambda text: None)
    assert len(launcher.jobs) == 6


@pytest.mark.slow
def test_a_number_that_chooses_and_is_not_measured_ends_with_the_first_trial(load, registry, tmp_path):
    launcher = Launched(run_job)
    with pytest.raises(coview.CoviewError, match='no curve is called "knn/acuracy", did you mean "knn/accuracy"'):
        tune(load(COMPARE.replace("accuracy", "acuracy") + SWEEP + TUNE), tmp_path, registry, launcher)
    assert len(launcher.jobs) == 1
    assert launcher.closed
    assert not list(tmp_path.rglob("results.json"))


def test_trials_that_fail_alike_are_told_of_once(load, registry, tmp_path):
    launcher = Launched(lambda job: Done(job, "failed", f"{job.recipe}:3: it diverged", 1.0))
    said = []
    with pytest.raises(coview.CoviewError) as error:
        tune(load(COMPARE + SWEEP + TUNE), tmp_path, registry, launcher, say=said.append)
    assert "none of 4 trials has a number" in error.value.message
    assert error.value.message.endswith("recipe.cell.toml:3: it diverged")
    assert not (tmp_path / "small" / "tuning.json").exists()


def test_a_single_variant_has_nothing_to_decide(load):
    compared = load(COMPARE + 'until = "decided"\n[sweep.grid]\nseed = [0, 1, 2]\n')
    with pytest.raises(coview.CoviewError, match="decides between variants, but there is only one"):
        needed_cells(compared, ())


def test_a_disk_without_a_place_for_what_is_shared_costs_no_run(load, registry, tmp_path, monkeypatch):
    compared = load(COMPARE + SWEEP)
    full = OSError(28, "No space left on device")

    def refuse(folder, pattern):
        raise full

    monkeypatch.setattr(sharing_module, "remove_abandoned", refuse)
    launcher = Launched(by_hand(registry, lambda: [result("pretrained", 0.5)]))
    said = []
    cells = run_missing(compared, tmp_path, registry, launcher, say=said.append)
    assert all(cell.run for cell in cells)
    assert sum("No space left on device" in line for line in said) == 1


@pytest.mark.slow
def test_a_bank_on_a_full_disk_is_said_once_and_the_runs_go_on(load, registry, tmp_path, monkeypatch):
    """The disk of the bank alone is full: every batch that is put there is refused."""
    from coview.data import view_bank

    def refuse(path, durable=True):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(view_bank, "replacing", refuse)
    compared = load(COMPARE + SWEEP)
    compared = dataclasses.replace(compared, cells=[cell for cell in compared.cells if cell.recipe.seed == 0])
    said = []
    cells = run_missing(compared, tmp_path, registry, Launched(run_job), say=said.append)
    assert all(cell.run for cell in cells)
    assert [line for line in said if "No space left" in line] == [
        "  from some moment on, no more views could be kept for other cells: [Errno 28] No space left on device"
    ]
