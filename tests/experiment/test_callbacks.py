"""Callbacks in whole runs: what they are told, what they may not do, and what becomes of a run that one of them ends."""

from __future__ import annotations

import json
import re

import pytest
import torch
from safetensors.torch import load_file

import coview
from conftest import SMALL
from example_callbacks import with_callbacks

BARE = SMALL.split("[[evaluate]]")[0]


@pytest.fixture(scope="module")
def known(registry):
    return with_callbacks(registry)


@pytest.fixture
def run_with(known, tmp_path, capsys):
    """Runs the small recipe with callbacks, and returns the run and what it has said."""

    def run_with(*callbacks, text=BARE, resume=False):
        tables = "".join(f'\n[[callback]]\nuse = "{callback}"\n' for callback in callbacks)
        (tmp_path / "r.toml").write_text(text + tables)
        recipe = coview.load_recipe(tmp_path / "r.toml", registry=known)
        run = coview.run(recipe, tmp_path / "runs", registry=known, resume=resume)
        return run, capsys.readouterr().err.replace("\n", " ")

    return run_with


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def only_folder(tmp_path):
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    return folder


def steps_kept(folder):
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("checkpoints/step-*"))


def test_one_that_tells_is_told_of_what_is_logged_and_another_of_every_step(run_with):
    run, _ = run_with("diary", text=SMALL)
    kinds = [[kind, "knn/accuracy"] for kind in ("pretrained", "untrained", "raw")]
    assert lines(run.path / "told.jsonl") == [
        ["start", "small", 0, 6],
        *(["step", step, 0, True] for step in (2, 4, 6)),
        ["end", 6, "done", "", kinds],
    ]
    run, _ = run_with("everystep", text=BARE.replace("batch_size = 32", "batch_size = 479"))
    assert lines(run.path / "told.jsonl") == [
        ["start", "small", 0, 6],
        *(["step", step, 0, step % 2 == 0] for step in (1, 2, 3)),
        ["epoch", 3, 0],
        *(["step", step, 1, step % 2 == 0] for step in (4, 5, 6)),
        ["epoch", 6, 1],
        ["end", 6, "done", "", []],
    ]


@pytest.mark.slow
def test_one_that_tells_changes_neither_the_hash_nor_a_weight(run_with, tmp_path):
    plain, _ = run_with()
    told, _ = run_with("diary", "gradients")
    assert plain.recipe.hash == told.recipe.hash
    a, b = (load_file(run.path / "checkpoints/last/weights.safetensors") for run in (plain, told))
    assert all(a[key].equal(b[key]) for key in a)


@pytest.mark.slow
def test_one_that_is_added_to_a_finished_run_finds_it(run_with):
    first, _ = run_with()
    second, said = run_with("diary", resume=True)
    assert second.path == first.path
    assert "is finished: nothing is left to do" in said


def test_what_stops_a_run_leaves_it_finished(run_with, tmp_path, call):
    run, said = run_with("diary", "stopsat", text=SMALL)
    assert "stopped at step 3 of 6 by stopsat: counted down" in said
    stopped = {"by": "stopsat", "reason": "counted down", "step": 3}
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["stopped"] == stopped
    assert environment["finished"]
    results = json.loads((run.path / "results.json").read_text())
    assert (results["stopped"], results["checkpoint"]) == (stopped, "step-3")
    assert {row["kind"] for row in results["results"]} == {"pretrained", "untrained", "raw"}
    assert steps_kept(run.path)[-1] == 3
    assert "Training was stopped at step 3 by stopsat: counted down." in run.folder.report.read_text()
    *_, end = lines(run.path / "told.jsonl")
    assert end[:4] == ["end", 3, "stopped", "stopped at step 3 by stopsat: counted down"]
    again, said = run_with("diary", "stopsat", text=SMALL, resume=True)
    assert again.path == run.path
    assert "is finished" in said


@pytest.mark.slow
def test_its_numbers_stay_marked_when_it_is_evaluated_again(run_with, known):
    run, _ = run_with("stopsat", text=SMALL)
    coview.evaluate_run(run, registry=known, quiet=True)
    assert json.loads((run.path / "results.json").read_text())["stopped"]["step"] == 3


@pytest.mark.slow
def test_a_run_that_is_interrupted_stops_where_one_stops_that_is_not(run_with, tmp_path, monkeypatch):
    """It has a checkpoint of step 3 and is resumed there: of five steps two are left to count down."""
    text = BARE.replace("steps = 6", "steps = 12")
    tables = '\n[[callback]]\nuse = "stopsat"\nstep = 5\n'
    whole, _ = run_with(text=text + tables)
    assert steps_kept(whole.path)[-1] == 5
    environment = json.loads((whole.path / "environment.json").read_text())
    for step in steps_kept(whole.path):
        if step > 3:
            (whole.path / f"checkpoints/step-{step}").rename(tmp_path / f"whole-{step}")
    del environment["stopped"]
    (whole.path / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    resumed, said = run_with(text=text + tables, resume=True)
    assert "goes on from step 3 of 12" in said
    assert resumed.path == whole.path
    assert steps_kept(resumed.path)[-1] == 5
    assert json.loads((resumed.path / "environment.json").read_text())["stopped"]["step"] == 5
    a, b = (
        load_file(tmp_path / "whole-5" / "weights.safetensors"),
        load_file(resumed.path / "checkpoints/step-5/weights.safetensors"),
    )
    assert all(a[key].equal(b[key]) for key in a)


@pytest.mark.slow
def test_a_run_that_is_killed_after_its_last_checkpoint_takes_no_further_step(run_with):
    run, _ = run_with("stopsat", text=SMALL)
    environment = json.loads((run.path / "environment.json").read_text())
    del environment["stopped"]
    (run.path / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    (run.path / "results.json").unlink()
    again, _ = run_with("stopsat", text=SMALL, resume=True)
    assert again.path == run.path
    assert steps_kept(run.path)[-1] == 3
    assert json.loads((run.path / "environment.json").read_text())["stopped"]["step"] == 3
    assert json.loads((run.path / "results.json").read_text())["stopped"]["reason"] == "counted down"


@pytest.mark.slow
def test_a_stop_at_the_last_step_is_the_end(run_with):
    run, _ = run_with(text=BARE + '\n[[callback]]\nuse = "stopsat"\nstep = 6\n')
    assert "stopped" not in json.loads((run.path / "environment.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "why"),
    [
        ("fails", r"ZeroDivisionError: division by zero \(.*example_callbacks.py:\d+\)"),
        ("stopsunsaid", "it asks for a stop, and its class does not say changes_run = True"),
        ("changesmode", "it has changed the mode of the whole model, towers, towers.image and .*, which is put back"),
    ],
)
def test_one_that_tells_and_fails_ends_no_run(run_with, use, why):
    plain, _ = run_with()
    run, said = run_with(use)
    sentence = rf"warning: callback {use} failed in step_end, and is not called again in this run: {why}"
    assert len(re.findall(sentence, said)) == 1
    a, b = (load_file(each.path / "checkpoints/step-6/weights.safetensors") for each in (plain, run))
    assert all(a[key].equal(b[key]) for key in a)


@pytest.mark.slow
@pytest.mark.parametrize(("use", "method"), [("failsandmatters", "step_end"), ("failsbeforestep", "before_step")])
def test_one_that_matters_and_fails_ends_it_with_a_checkpoint(run_with, tmp_path, use, method):
    with pytest.raises(coview.CoviewError) as caught:
        run_with(use)
    assert f"callback {use} failed in {method}: ZeroDivisionError: division by zero" in str(caught.value)
    assert "; a checkpoint of step 2 is written" in str(caught.value)
    assert steps_kept(only_folder(tmp_path)) == [2]


@pytest.mark.slow
def test_who_writes_into_the_model_ends_the_run_and_no_checkpoint_has_it(run_with, tmp_path):
    text = BARE.replace("log_every = 2", "log_every = 5")
    with pytest.raises(coview.CoviewError, match=r"callback writesmodel has written into the model in step_end \("):
        run_with("writesmodel", text=text)
    assert steps_kept(only_folder(tmp_path)) == [3]


@pytest.mark.slow
def test_a_state_that_no_checkpoint_can_hold_is_said_and_costs_none(run_with):
    run, said = run_with("oddstate")
    assert "the state of callback oddstate is not in the checkpoints: TypeError: Object of type set" in said
    assert steps_kept(run.path)[-1] == 6


@pytest.mark.slow
def test_before_a_step_gradients_are_what_the_optimiser_takes(run_with):
    """Of plain SGD without momentum: the weights move by the rate times the gradient, which is clipped."""
    text = BARE.replace('use = "sgd"', 'use = "sgd"\nmomentum = 0.0\nweight_decay = 0.0')
    text = text.replace("batch_size = 32", "batch_size = 32\nclip_norm = 0.1").replace(
        "[train]", '[schedule]\nuse = "constant"\n\n[train]'
    )
    run, _ = run_with("gradients", text=text)
    for step in (1, 4):
        before, gradient, after = torch.load(run.path / f"gradient-{step}.pt")
        assert torch.allclose(after - before, -0.05 * gradient, atol=1e-7)
        assert float(gradient.norm()) == pytest.approx(0.1, rel=1e-3)


def test_what_is_missing_is_one_line_before_a_folder_is_made(run_with, tmp_path):
    line = BARE.count("\n") + 3
    for use, says in {
        "refuses": "nobody is logged in\n  log in",
        "lackslibrary": "callback tests/lackslibrary needs the package 'a_library_that_is_not_there', which is not "
        "installed\n  pip install 'the-library'",
    }.items():
        with pytest.raises(coview.CoviewError) as caught:
            run_with(use)
        assert str(caught.value) == f"{tmp_path / 'r.toml'}:{line}: callback.0.use: {says}"
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_resolved_recipe_of_a_run_gives_its_hash(run_with, known):
    run, _ = run_with("diary", "stopsat")
    assert coview.load_recipe(run.path / "recipe.toml", registry=known).hash == run.recipe.hash


def test_a_metric_that_nothing_measures_is_refused_before_training(run_with, tmp_path):
    text = SMALL + '\n[[callback]]\nuse = "early_stopping"\nmetric = "kn/accuracy"\n'
    with pytest.raises(
        coview.CoviewError, match=r'r.toml:\d+: callback.0.use: early_stopping: metric = "kn/accuracy": no'
    ):
        run_with(text=text)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_metric_that_is_not_logged_is_refused_at_the_first_step_that_logs(run_with):
    text = BARE + '\n[[callback]]\nuse = "early_stopping"\nmetric = "los"\nmode = "min"\n'
    with pytest.raises(
        coview.CoviewError, match=r'nothing with this name is measured, did you mean "loss"\?; there are loss, lr'
    ):
        run_with(text=text)


ON_A_CURVE = """
[[callback]]
use = "early_stopping"
metric = "knn/accuracy"
patience = 2
"""


@pytest.mark.slow
def test_early_stopping_goes_by_a_curve_and_a_resumed_run_stops_where_another_does(run_with, tmp_path):
    text = SMALL.replace("steps = 6", "steps = 60").replace("k = 5", "k = 5\nevery = 2") + ON_A_CURVE
    run, _ = run_with(text=text)
    environment = json.loads((run.path / "environment.json").read_text())
    stopped = environment.pop("stopped")
    points = [(row["step"], row["knn/accuracy"]) for row in lines(run.path / "metrics.jsonl") if "knn/accuracy" in row]
    best, since = -1.0, 0
    for index, (_, value) in enumerate(points):
        best, since = (value, index) if value > best else (best, since)
    assert len(points) - 1 - since == 2
    assert (stopped["by"], stopped["step"]) == ("early_stopping", points[-1][0])
    (run.path / f"checkpoints/step-{points[-1][0]}").rename(tmp_path / "last")
    (run.path / "environment.json").write_text(json.dumps({**environment, "finished": None}))
    resumed, said = run_with(text=text, resume=True)
    assert "goes on from step" in said
    assert json.loads((resumed.path / "environment.json").read_text())["stopped"] == stopped


@pytest.mark.slow
def test_a_metric_that_no_curve_has_is_refused_before_the_first_step(run_with, tmp_path):
    text = SMALL.replace("k = 5", "k = 5\nevery = 2") + ON_A_CURVE.replace("accuracy", "acuracy")
    with pytest.raises(coview.CoviewError, match=r'did you mean "knn/accuracy"\?'):
        run_with(text=text)
    assert not list((tmp_path / "runs" / "small").glob("*"))
