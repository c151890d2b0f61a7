"""``examples/coview-graph``, as a stranger would ship it: its wheel, and its recipes on small graphs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from example_packages import SOURCES, installed, run_example, seeing

__all__ = ["installed", "run_example", "seeing"]  # fixtures

pytest.importorskip("torch_geometric", reason="torch_geometric is not installed: pip install 'coview[test]'")

RECIPES, TESTS = (SOURCES / "coview-graph" / name for name in ("recipes", "tests"))
PLANETOID = Path(os.environ.get("PLANETOID", "planetoid"))
"""The folder with the files of Cora and CiteSeer, if somebody has them."""

OF_NODES = ("data.name=tiny", "encoder.inputs=12", "encoder.width=16", "optimizer.lr=0.01")


@pytest.fixture(scope="module")
def small(installed, tmp_path_factory):
    """A folder with the small data of the package's own tests."""
    root = tmp_path_factory.mktemp("small")
    write = "from small_graphs import *; from pathlib import Path; import sys; root = Path(sys.argv[1]); "
    write += "write_planetoid(root / 'planetoid'); write_tu(root / 'tiny')"
    subprocess.run([sys.executable, "-c", write, root], check=True, env={**os.environ, "PYTHONPATH": str(TESTS)})
    return root


@pytest.fixture
def run_recipe(run_example):
    """Runs a recipe of the package on other data, with one seed; gives its numbers by metric and kind of features."""
    return lambda recipe, *sets, **name: run_example(f"coview-graph/recipes/{recipe}", *sets, "seed=0", **name)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["grace", "bgrl", "dgi"])
def test_methods_of_nodes_beat_the_nodes_own_features(run_recipe, small, recipe):
    """With the gradient cache, in which each part encodes the whole graph, they come to the same."""
    sets = (f"data.root={small / 'planetoid'}", *OF_NODES, "data.train=all", "train.steps=60", "train.batch_size=60")
    sets += ("encoder.hidden=32",) if recipe != "dgi" else ()
    found = run_recipe(recipe, *sets)
    accuracy = {kind: value for (metric, kind), value in found.items() if metric == "accuracy"}
    assert accuracy.keys() == {"pretrained", "untrained", "raw"}
    assert accuracy["pretrained"] > max(accuracy["raw"], 0.75)
    if recipe == "grace":
        assert run_recipe(recipe, *sets, "train.grad_cache=16", name="cached") == pytest.approx(found, abs=0.05)


@pytest.mark.slow
def test_grace_is_measured_as_its_authors_do(run_recipe, small):
    sets = (f"data.root={small / 'planetoid'}", *OF_NODES, "train.steps=60", "train.batch_size=60", "encoder.hidden=32")
    found = run_recipe("grace-random-splits", *sets, "evaluate.0.share=0.5")
    assert found["accuracy", "pretrained"] > max(found["accuracy", "raw"], 0.75)


@pytest.mark.slow
def test_graphmae_learns_from_hidden_nodes(run_recipe, small, tmp_path):
    root = small / "planetoid"
    evaluate = (f"evaluate.0.data.root={root}", "evaluate.0.data.name=tiny")
    found = run_recipe("graphmae", f"data.root={root}", *OF_NODES, "train.steps=100", *evaluate)
    assert found["accuracy", "pretrained"] >= 0.9
    assert found["accuracy", "pretrained"] > found["accuracy", "raw"]
    (metrics,) = (tmp_path / "runs").glob("*/*/metrics.jsonl")
    losses = [row["loss"] for row in map(json.loads, metrics.read_text().splitlines()) if "loss" in row]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
def test_links_are_predicted(run_recipe, small):
    sets = (f"data.root={small / 'planetoid'}", *OF_NODES, "train.steps=60", "train.batch_size=60", "data.test=0.2")
    found = run_recipe("grace-links", *sets)
    for metric in ("auc", "ap"):
        assert found[metric, "pretrained"] > found[metric, "raw"] + 0.1


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["graphcl", "infograph"])
def test_methods_of_whole_graphs_train_on_the_files_of_tu(run_recipe, small, recipe):
    sets = (f"data.root={small / 'tiny'}", "data.name=tiny", "data.folds=3", "encoder.inputs=2", "encoder.hidden=8")
    found = run_recipe(recipe, *sets, "train.batch_size=10", "train.grad_cache=4")
    accuracy = {kind: value for (metric, kind), value in found.items() if metric == "accuracy"}
    assert accuracy.keys() == {"pretrained", "untrained", "raw"}
    assert accuracy["pretrained"] >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("component", ["corrupt", "node_classification", "scaled_cosine"])
def test_the_kit_finds_nothing_wrong_with_parts_for_nodes(start, seeing, small, tmp_path, component):
    recipe = f'schema = 1\nextends = "{RECIPES / "grace.toml"}"\nname = "small"\n'
    recipe += f'[data]\nroot = "{small / "planetoid"}"\nname = "tiny"\n[encoder]\ninputs = 12\n'
    (tmp_path / "small.toml").write_text(recipe)
    done = start("plugins", "check", f"graph/{component}", "--recipe", tmp_path / "small.toml")
    assert (done.status, done.out.split()[-1]) == (0, "ok"), done.out + done.err


@pytest.mark.slow
@pytest.mark.parametrize("component", ["gin", "motifs", "drop_nodes", "infograph"])
def test_the_kit_finds_nothing_wrong_with_parts_for_graphs(start, seeing, component):
    done = start("plugins", "check", f"graph/{component}", "--recipe", RECIPES / "graphcl-motifs.toml")
    assert (done.status, done.out.split()[-1]) == (0, "ok"), done.out + done.err


@pytest.mark.slow
@pytest.mark.skipif(not PLANETOID.exists(), reason="PLANETOID=FOLDER has to name a folder with Planetoid's files")
def test_cora_has_the_counts_that_its_authors_publish(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    from coview_graph.planetoid import Planetoid

    for name, nodes, features, classes, edges in (("cora", 2708, 1433, 7, 5278), ("citeseer", 3327, 3703, 6, 4552)):
        splits = {split: Planetoid(split=split, root=PLANETOID, name=name) for split in Planetoid.splits}
        graph = splits["test"].context
        assert (*graph.x_NF.shape, graph.edges_2E.shape[1] // 2) == (nodes, features, edges)
        assert (splits["train"].labels >= 0).sum() == 20 * classes
        assert [len(splits[split]) for split in ("validation", "test")] == [500, 1000]
    for module in [module for module in sys.modules if module.split(".")[0] == "coview_graph"]:
        del sys.modules[module]
