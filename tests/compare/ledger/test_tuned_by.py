"""A tuning is part of the protocol of the numbers that it has led to, and no part of what finds a run again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ledger_records import run_folder

import coview
from coview.compare.cells import find_cells
from coview.compare.existing_runs import compare_runs
from coview.compare.ledger.comparison import compare_in
from coview.compare.ledger.from_run import record_of, records_of
from coview.compare.ledger.runs import runs_in
from coview.compare.ledger.text import in_words
from coview.compare.run_missing import run_missing
from coview.compare.trials import trials_of
from coview.compare.tuned_by import tuning_hash, tunings_of
from coview.compare.tuning import tuning_of
from coview.recipe.comparison import load_comparison
from coview.track.run_folder import RunFolder

FOUR = {
    "choose": {"optimizer.lr": [0.1, 0.2]},
    "variants": {},
    "trials": 4,
    "metric": "knn/accuracy",
    "seed": 1_000_003,
}
EIGHT = {**FOUR, "trials": 8}
OTHER = {**FOUR, "choose": {"optimizer.lr": [0.1, 0.3]}, "metric": "linear_probe/accuracy"}


@pytest.fixture
def tuned_run(registry, tmp_path):
    def make(seed, *tunings):
        path = run_folder(tmp_path / f"runs-{seed}", registry, seed=seed)
        if tunings:
            (path / "tuned_by.json").write_text(json.dumps(tunings))
        return RunFolder(path)

    return make


def shown(*folders):
    return compare_in(runs_in([record_of(folder) for folder in folders]), metric="knn/accuracy")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (EIGHT, ["tuning.trials: 4 → 8"]),
        (OTHER, ["tuning.choose.optimizer.lr: [0.1, 0.2] → [0.1, 0.3]",
                 'tuning.metric: "knn/accuracy" → "linear_probe/accuracy"']),
        (None, ["tuning.trials: 4 → (absent)"]),
    ],
)  # fmt: skip
def test_a_ledger_keeps_two_tunings_apart_and_names_the_key(tuned_run, tmp_path, other, says):
    runs = [tuned_run(0, FOUR), tuned_run(1, FOUR), tuned_run(2, *([other] if other else []))]
    joined = shown(*runs)
    assert [sorted(run.record.seed for run in one.groups[0].runs) for one in joined] == [[0, 1], [2]]
    assert set(says) <= set(joined[1].apart)
    assert all(line in in_words(joined, tmp_path) for line in says)


def test_a_run_that_two_tunings_have_led_to_is_in_the_table_of_each(tuned_run):
    joined = shown(tuned_run(0, FOUR), tuned_run(1, FOUR, EIGHT), tuned_run(2, EIGHT))
    assert sorted(sorted(run.record.seed for run in one.groups[0].runs) for one in joined) == [[0, 1], [1, 2]]


def test_runs_that_were_tuned_differently_are_not_compared(tuned_run, registry):
    runs = [tuned_run(0, FOUR), tuned_run(1, EIGHT), tuned_run(2, None, FOUR), tuned_run(3)]
    paths = [run.path for run in runs]
    with pytest.raises(coview.CoviewError, match=r"they were tuned differently: tuning.trials: 4 and 8") as error:
        compare_runs(paths[:2], registry)
    assert "\n" not in error.value.message
    with pytest.raises(coview.CoviewError, match=r"tuned differently: .*tuning.trials: 4 and \(absent\)"):
        compare_runs([paths[0], paths[3]], registry)
    for alike in ([paths[0], paths[2]], [paths[2], paths[3]]):
        assert len(compare_runs(alike, registry)[1]) == 2


def test_what_is_no_tuning_is_refused_in_a_line(tuned_run):
    folder = tuned_run(0, FOUR)
    for text in ("[", "{}", "[]", "[3]"):
        folder.tuned_by.write_text(text)
        with pytest.raises(coview.CoviewError, match=r"tuned_by.json is damaged: it has to be a JSON array"):
            tunings_of(folder)
        assert len(records_of([folder.path])[1]) == 1


class RunsNothing:
    local_processes = 0  # whose data are not looked at: those of these runs are made up

    def launch(self, jobs):
        raise AssertionError(f"{len(jobs)} jobs for runs that are there")


QUICK = """schema = 1
extends = "quickstart"
name = "quickstart"

[compare]
metric = "knn/accuracy"

[sweep.grid]
seed = [0, 1]
{tune}
"""


@pytest.fixture
def comparison(tmp_path, registry):
    def load(tune=""):
        path = tmp_path / "tuned.toml"
        path.write_text(QUICK.format(tune=tune))
        return load_comparison(path, registry=registry)

    return load


def test_runs_that_were_there_are_found_again_and_are_of_each_tuning_that_takes_them(comparison, registry, tmp_path):
    out, asked = tmp_path / "out", comparison()
    for seed in (0, 1):
        run_folder(out, registry, seed=seed)
    for tuned_by, known in ((FOUR, [None, FOUR]), (EIGHT, [None, FOUR, EIGHT]), (EIGHT, [None, FOUR, EIGHT])):
        cells = run_missing(replace(asked, tuned_by=tuned_by), out, registry, RunsNothing(), say=lambda text: None)
        for cell in cells:
            found = tunings_of(cell.run)
            assert sorted(map(tuning_hash, found)) == sorted(map(tuning_hash, known))
    assert all(cell.run is not None for cell in find_cells(asked, out, registry))


def test_an_untuned_comparison_notes_nothing(comparison, registry, tmp_path):
    out = tmp_path / "out"
    for seed in (0, 1):
        run_folder(out, registry, seed=seed)
    run_missing(comparison(), out, registry, RunsNothing(), say=lambda text: None)
    assert list(out.rglob("tuned_by.json")) == []


def test_a_tuning_is_what_it_asks_and_not_how_it_is_written(comparison, registry):
    def hash_of(tune):
        asked = comparison(tune)
        return tuning_hash(tuning_of(asked, trials_of(asked, registry)))

    choose = '[tune.choose]\n"optimizer.lr" = [0.1, 0.2]\n"loss.temperature" = [0.2, 0.5]\n'
    plain = hash_of(f"\n{choose}")
    assert hash_of(f'\n[tune]\ntrials = 4\nmetric = "knn/accuracy"\n{choose}') == plain
    assert hash_of(f"\n[tune]\ntrials = 3\n{choose}") != plain
    assert hash_of(f'\n[tune]\nmetric = "linear_probe/accuracy"\n{choose}') != plain
    assert hash_of(f"\n{choose.replace('0.5', '0.6')}") != plain
