"""wandb and mlflow against their real libraries, offline: what a run has told them is read back from what they have written."""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
import sys

import pytest

import coview
from conftest import SMALL
from coview.testing import check_callback

MEASURED = SMALL + '\n[[evaluate]]\nuse = "geometry"\n'


def run_with(tmp_path, registry, tables, *, text=MEASURED, resume=False):
    (tmp_path / "r.toml").write_text(text + tables)
    recipe = coview.load_recipe(tmp_path / "r.toml", registry=registry)
    return coview.run(recipe, tmp_path / "runs", registry=registry, resume=resume, quiet=True)


def logged(run):
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row for row in rows}


def unfinished(run, step):
    """As it was when it had been killed after a checkpoint."""
    for path in run.folder.checkpoints.glob("step-*"):
        if int(path.name.removeprefix("step-")) > step:
            path.rename(run.path / path.name)
    environment = json.loads(run.folder.environment.read_text())
    run.folder.environment.write_text(json.dumps({**environment, "finished": None}))


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """Nobody is logged in anywhere, and nothing leaves this machine."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


# ---- Weights & Biases -------------------------------------------------------------------------------------------------


BLOCK, HEADER = 32_768, 7
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(folder):
    """What a folder of an offline run holds: messages of wandb's own, in the blocks of a LevelDB log after seven bytes.

    wandb itself reads them by a program of its own, and only to send them.
    """
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("run-*.wandb")
    data, at, parts, found = path.read_bytes(), HEADER, b"", []
    assert data.startswith(b":W&B")
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + HEADER])
        parts += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        assert kind in (WHOLE, FIRST, MIDDLE, LAST)
        if kind in (WHOLE, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            found.append(record)
            parts = b""
    return found


def history(found):
    rows = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in found
        if record.WhichOneof("record_type") == "history"
    ]
    return {row["_step"]: row for row in rows}


@pytest.mark.slow
@pytest.mark.usefixtures("nobody")
def test_wandb_has_what_the_run_has(tmp_path, registry):
    pytest.importorskip("wandb", reason="pip install 'coview[wandb]'")
    tables = '\n[[callback]]\nuse = "wandb"\nproject = "of-a-test"\ntags = ["a", "b"]\nmode = "offline"\n'
    run = run_with(tmp_path, registry, tables)
    (folder,) = (run.path / "wandb").glob("offline-run-*")
    found = records(folder)
    (of_run,) = (record.run for record in found if record.WhichOneof("record_type") == "run")
    assert (of_run.project, of_run.run_id, list(of_run.tags)) == ("of-a-test", run.path.name, ["a", "b"])
    config = {item.key: json.loads(item.value_json) for item in of_run.config.update}
    assert config["optimizer"] == run.recipe.tables["optimizer"]
    assert config["seed"] == 3
    rows = history(found)
    assert sorted(rows) == [2, 4, 6]
    for step, row in logged(run).items():
        assert {name: rows[step][name] for name in row if name not in ("step", "time", "unchanged_views")} == {
            name: value for name, value in row.items() if name not in ("step", "time", "unchanged_views")
        }
    summary = {}
    for record in found:
        if record.WhichOneof("record_type") == "summary":
            summary |= {
                item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update
            }
    for result in run.results:
        name = result.name if result.kind == "pretrained" else f"{result.name}/{result.kind}"
        assert summary[name] == pytest.approx(result.value), name
    assert summary["status"] == "done"


@pytest.mark.slow
@pytest.mark.usefixtures("nobody")
def test_a_run_that_is_resumed_goes_on_in_its_run_of_wandb(tmp_path, registry):
    pytest.importorskip("wandb", reason="pip install 'coview[wandb]'")
    tables = '\n[[callback]]\nuse = "wandb"\nmode = "offline"\n'
    run = run_with(tmp_path, registry, tables)
    unfinished(run, 3)
    run_with(tmp_path, registry, tables, resume=True)
    parts = [records(folder) for folder in sorted((run.path / "wandb").glob("offline-run-*"))]
    assert [sorted(history(found)) for found in parts] == [[2, 4, 6], [4, 6]]
    ids = {record.run.run_id for found in parts for record in found if record.WhichOneof("record_type") == "run"}
    assert ids == {run.path.name}


@pytest.mark.usefixtures("nobody")
def test_nobody_is_logged_in_at_wandb(tmp_path, registry):
    pytest.importorskip("wandb", reason="pip install 'coview[wandb]'")
    line = MEASURED.count("\n") + 3
    with pytest.raises(coview.CoviewError) as caught:
        run_with(tmp_path, registry, '\n[[callback]]\nuse = "wandb"\n')
    message, hint = str(caught.value).splitlines()
    assert message == f"{tmp_path / 'r.toml'}:{line}: callback.0.use: wandb: nobody is logged in on this machine"
    assert hint.startswith('  type wandb login, or write mode = "offline"')
    assert not (tmp_path / "runs").exists()


# ---- MLflow -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mlflow_client(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="pip install 'coview[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="pip install 'coview[mlflow]'")
    return mlflow.MlflowClient(f"sqlite:///{tmp_path / 'tracked.db'}")


@pytest.fixture
def mlflow_table(tmp_path):
    return (
        f'\n[[callback]]\nuse = "mlflow"\ntracking_uri = "sqlite:///{tmp_path / "tracked.db"}"\ntags = {{team = "a"}}\n'
    )


@pytest.mark.slow
@pytest.mark.usefixtures("nobody")
def test_mlflow_has_what_the_run_has(tmp_path, registry, mlflow_client, mlflow_table):
    run = run_with(tmp_path, registry, mlflow_table)
    experiment = mlflow_client.get_experiment_by_name("small")
    (found,) = mlflow_client.search_runs([experiment.experiment_id])
    assert (found.info.status, found.info.run_name) == ("FINISHED", run.path.name)
    assert found.data.tags["team"] == "a"
    assert found.data.params["optimizer.use"] == "sgd"
    assert found.data.params["train.steps"] == "6"
    for name in ("loss", "lr", "spread", "epoch"):
        points = mlflow_client.get_metric_history(found.info.run_id, name)
        assert {point.step: point.value for point in points} == {step: row[name] for step, row in logged(run).items()}
    for result in run.results:
        name = result.name if result.kind == "pretrained" else f"{result.name}/{result.kind}"
        assert found.data.metrics[name] == pytest.approx(result.value), name


@pytest.mark.slow
@pytest.mark.usefixtures("nobody")
def test_a_run_that_is_resumed_goes_on_in_its_run_of_mlflow(tmp_path, registry, mlflow_client, mlflow_table):
    tables = mlflow_table + '\n[[callback]]\nuse = "early_stopping"\nmetric = "loss"\nmode = "max"\npatience = 2\n'
    run = run_with(tmp_path, registry, tables)
    stopped = json.loads(run.folder.environment.read_text()).get("stopped")
    unfinished(run, 3)
    run_with(tmp_path, registry, tables, resume=True)
    (found,) = mlflow_client.search_runs([mlflow_client.get_experiment_by_name("small").experiment_id])
    assert found.info.status == "FINISHED"
    points = mlflow_client.get_metric_history(found.info.run_id, "loss")
    assert {point.step for point in points} == set(logged(run))
    assert json.loads(run.folder.environment.read_text()).get("stopped") == stopped
    if stopped:
        assert found.data.tags["coview.stopped"].startswith(f"stopped at step {stopped['step']} by early_stopping")


@pytest.mark.usefixtures("nobody")
def test_a_server_of_mlflow_that_is_not_there(tmp_path, registry):
    pytest.importorskip("mlflow", reason="pip install 'coview[mlflow]'")
    tables = '\n[[callback]]\nuse = "mlflow"\ntracking_uri = "http://127.0.0.1:9"\n'
    with pytest.raises(
        coview.CoviewError, match=r"r.toml:\d+: callback.0.use: mlflow: http://127.0.0.1:9 does not take a run"
    ):
        run_with(tmp_path, registry, tables)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("nobody", "mlflow_client")
def test_mlflow_keeps_the_promises_of_a_callback(registry, tmp_path):
    parameters = {"tracking_uri": f"sqlite:///{tmp_path / 'tracked.db'}"}
    checks = ["takes_every_context", "only_looks_at_the_model", "stops_only_if_it_says_so"]
    check_callback(
        registry.resolve("callback", "mlflow").factory(), parameters=parameters, metrics=["knn/accuracy"], only=checks
    )


# ---- without their libraries ------------------------------------------------------------------------------------------

WITHOUT = "import sys; sys.modules |= dict.fromkeys(('wandb', 'mlflow'))"


@pytest.mark.parametrize("use", ["wandb", "mlflow"])
def test_a_library_that_is_missing_is_one_line_before_a_folder_is_made(
    fork_command, write_recipe, small_recipe, tmp_path, use
):
    recipe = write_recipe(f'{small_recipe}\n[[callback]]\nuse = "{use}"\n')
    line = small_recipe.count("\n") + 3
    assert fork_command("recipe", "check", recipe, before=WITHOUT).status == 0
    done = fork_command("run", recipe, before=WITHOUT)
    assert done.status == 2
    assert done.err == (
        f"error: {recipe}:{line}: callback.0.use: callback core/{use} needs the package '{use}', which is not installed\n"
        f"  pip install 'coview[{use}]'\n"
    )
    assert not (tmp_path / "runs").exists()


def test_a_recipe_is_checked_without_their_libraries_being_imported(registry, write_recipe, small_recipe):
    code, installed = "import sys, coview\n", [use for use in ("wandb", "mlflow") if importlib.util.find_spec(use)]
    for use in installed:
        recipe = write_recipe(f'{small_recipe}\n[[callback]]\nuse = "{use}"\n', f"{use}.toml")
        code += f"coview.load_recipe({str(recipe)!r}); print({use!r} in sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n" * len(installed)
