"""Plugins as strangers ship them: wheels, installed by pip.

One of them does all that a first-party plugin can, and a recipe runs on nothing but it; the others are broken, each in
its own way, and hurt nobody but the recipe that needs them. Their sources are in ``packages/``.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from wheels import install_wheels

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parent / "packages"
PACKAGES = sorted(path.name for path in SOURCES.iterdir() if (path / "pyproject.toml").exists())
RECIPE = (SOURCES / "coview-of-a-stranger" / "recipe.toml").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed the wheels."""
    root = tmp_path_factory.mktemp("strangers")
    shutil.copytree(SOURCES, root / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    return install_wheels([root / "sources" / distribution for distribution in PACKAGES], root)


@pytest.fixture
def start_coview(start, installed, monkeypatch):
    """Calls the command in a process that sees them; whatever it may say to a person is checked for tracebacks."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]))
    for name in ("COVIEW_DISABLE_PLUGINS", "COVIEW_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)

    def start_coview(*arguments):
        done = start(*arguments)
        assert "Traceback" not in done.err, done.err
        return done

    return start_coview


@pytest.fixture
def run_coview(call, installed, monkeypatch):
    """Calls the command in this process, which then sees them."""
    monkeypatch.syspath_prepend(installed)
    for name in ("COVIEW_DISABLE_PLUGINS", "COVIEW_PLUGIN_AUTOLOAD"):
        monkeypatch.delenv(name, raising=False)

    def run_coview(*arguments):
        done = call(*arguments)
        assert "Traceback" not in done.err, done.err
        return done

    return run_coview


def test_the_list_names_each_with_what_became_of_it(start_coview):
    done = start_coview("plugins", "list", "--json")
    assert done.status == 0
    listed = json.loads(done.out)
    rows = {plugin["distribution"]: plugin for plugin in listed["plugins"] if plugin["distribution"] != "coview"}
    assert set(rows) >= set(PACKAGES)
    assert {name: (rows[name]["status"], rows[name]["reason"]) for name in PACKAGES} == {
        "coview-of-a-stranger": ("ok", ""),
        "coview-raises": ("broken", "RuntimeError: boom"),
        "coview-misspelt": ("broken", 'TypeError: unknown hook coview_rgeister, did you mean "coview_register"?'),
        "coview-clash-one": ("ok", ""),
        "coview-clash-two": ("ok", ""),
        "coview-twin-one": ("ok", ""),
        "coview-twin-two": (
            "broken",
            "the name is taken by coview-twin-one 3.1; --no-plugin coview-twin-one leaves that one out",
        ),
        "coview-future": ("incompatible", "it was written for interface 99, this coview has 1: update coview"),
        "coview-heavy": ("ok", ""),
        "coview-exits": ("broken", "SystemExit: 7"),
    }
    assert [name for name in PACKAGES if rows[name]["warnings"]] == ["coview-heavy"]
    assert "importing coview_heavy imports torch" in rows["coview-heavy"]["warnings"][0]
    assert {row["version"] for name, row in rows.items() if name in PACKAGES} == {"3.1"}
    assert {plugin["name"] for plugin in listed["plugins"] if plugin["distribution"] == "coview"} >= {"core"}


def test_the_list_is_readable(start_coview):
    lines = start_coview("plugins", "list").out.splitlines()
    at = lines.index("raises  broken  (coview-raises 3.1, coview_raises)")
    assert lines[at + 1] == "  RuntimeError: boom"
    assert "  warning: importing coview_heavy imports torch" in "\n".join(lines)


def test_showing_a_broken_plugin_shows_where_it_broke(run_coview):
    done = run_coview("plugins", "show", "raises")
    assert done.status == 0
    assert 'raise RuntimeError("boom")' in done.out


def test_only_the_recipes_that_need_a_broken_one_fail(run_coview, tmp_path):
    says = {
        "raises/x": 'loss.use: "raises/x": the plugin "raises" is broken: RuntimeError: boom',
        "misspelt/m": 'the plugin "misspelt" is broken: TypeError: unknown hook coview_rgeister',
        "exits/x": 'the plugin "exits" is broken: SystemExit: 7',
        "future/later": 'the plugin "future" is incompatible: it was written for interface 99',
        "clash": '"clash" is ambiguous: write "clash_one/clash" or "clash_two/clash"',
        "twin_two": 'unknown loss "twin_two", did you mean "twin_one"?',
        "pull": "",
        "clash_two/clash": "",
    }
    paths = []
    for index, loss in enumerate(says):
        paths.append(f"{index}.toml")
        (tmp_path / paths[-1]).write_text(RECIPE.replace('"pull"', f'"{loss}"'))
    done = run_coview("recipe", "check", *paths)
    assert done.status == 2
    errors = {line.removeprefix("error: ").split(":")[0]: line for line in done.err.splitlines()}
    assert [says in errors.get(path, "") for path, says in zip(paths, says.values(), strict=True)] == [True] * len(
        paths
    )
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["6.toml", "7.toml"]


def test_a_plugin_can_be_left_out(run_coview, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    done = run_coview("--no-plugin", "stranger", "recipe", "check", "r.toml", "--set", "loss.use=stranger/pull")
    assert done.status == 2
    assert 'the plugin "stranger" is disabled: by --no-plugin' in done.err
    twin = ["recipe", "check", "r.toml", "--set", "loss.use=twin_two"]
    assert run_coview("--no-plugin", "coview-twin-one", *twin).status == 0


def test_a_stranger_can_do_all_that_coviews_own_plugins_can(start_coview, run_coview, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    done = start_coview("run", "r.toml", "--out", "runs")
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs" / "of-a-stranger").iterdir()
    results = json.loads((run / "results.json").read_text())
    assert results["dataset"] == {"name": "pairs", "version": "1", "licence": "CC0", "citation": "none"}
    found = {row["kind"]: row for row in results["results"]}
    assert set(found) == {"pretrained", "untrained", "raw"}
    assert found["raw"]["value"] > 0.9
    assert found["pretrained"]["value"] > 0.9
    assert {row["evaluator"] for row in found.values()} == {"nearest_mean"}
    diary = [json.loads(line) for line in (run / "diary.jsonl").read_text().splitlines()]
    assert diary == [
        ["start", "of-a-stranger", 4, 0],
        ["step", 1, 0, diary[1][3]],
        ["step", 2, 0, True],
        ["epoch", 2, 0],
        ["step", 3, 1, False],
        ["step", 4, 1, True],
        ["epoch", 4, 1],
        *(["evaluated", [[kind, "accuracy", 32]]] for kind in ("pretrained", "untrained", "raw")),
        ["end", "done"],
    ]
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("distance" in row for row in metrics)
    assert [(row["step"], row["lr"]) for row in metrics] == [(2, 0.05), (4, 0.05)]
    largest = [json.loads(line) for line in (run / "largest.jsonl").read_text().splitlines()]
    assert [step for step, _, _ in largest] == [2, 4]
    assert all(weight > 0 and gradient > 0 for _, weight, gradient in largest)
    assert "stranger" in json.loads((run / "environment.json").read_text())["plugins"]
    again = json.loads(run_coview("evaluate", str(run), "--json").out)
    assert [row["value"] for row in again] == [row["value"] for row in results["results"]]
    assert len((run / "diary.jsonl").read_text().splitlines()) == len(diary) + 3
    done = run_coview("embed", str(run), "test", "--out", "x.npy")
    assert done.status == 0, done.err
    assert done.out == "x.npy: 32 × 4\nx.samples.csv: a row for each, in the same order\n"


def test_its_optimiser_goes_by_its_group_its_schedule_by_the_step_and_its_callback_ends_the_run(start_coview, tmp_path):
    """The steps of ``signed`` are as large as the rate: 0.1 and 0.05 in turn. Its group moves nothing below the floor."""
    (tmp_path / "r.toml").write_text(RECIPE)
    stopped = ["--set", "callback.1.at=1000.0", "--set", "train.log_every=1"]
    for name, more in (("one", ["train.steps=1"]), ("two", ["train.steps=2"]), ("stopped", ["train.epochs=2"])):
        given = stopped if name == "stopped" else []
        done = start_coview(
            "run", "r.toml", "--out", name, "--set", more[0], "--set", "optimizer.group.0.floor=1e9", *given
        )
        assert done.status == 0, done.err
    assert "stopped at step 1 of 4 by enough: the loss is below 1000.0" in done.err
    one, two, ended = (
        load_file(next((tmp_path / name).glob("*/*/checkpoints/last/weights.safetensors")))
        for name in ("one", "two", "stopped")
    )
    assert all(ended[key].equal(one[key]) for key in one)
    moved = {key: (two[key] - one[key]).abs() for key in one if "loss" not in key}
    assert all(float(moved[key].max()) == pytest.approx(0.05, abs=1e-6) for key in moved if "encoder" in key)
    assert all(float(moved[key].max()) == 0 for key in moved if "projector" in key)


def test_its_page_is_as_good_as_any(run_coview):
    page = run_coview("plugins", "show", "stranger/linear").out
    assert page.count("encoder stranger/linear: a linear map") == 2
    assert "  inputs  an integer of at least 1  (required)\n      Length of the vectors.\n" in page
    schema = json.loads(run_coview("recipe", "schema").out)
    assert "stranger/linear" in json.dumps(schema["$defs"]["encoder"])
