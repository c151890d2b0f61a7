"""The packages in ``examples/``, as strangers would ship them: wheels, installed by pip, and recipes on small data."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from safetensors.torch import load_file

import coview
from coview.testing import check_dataset, check_encoder
from wheels import install_wheels

pytestmark = pytest.mark.slow

SOURCES = Path(__file__).parents[2] / "examples"
PACKAGES = sorted(path.name for path in SOURCES.iterdir() if (path / "pyproject.toml").exists())
NODES, FEATURES = 60, 12


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed the wheels."""
    root = tmp_path_factory.mktemp("examples")
    shutil.copytree(SOURCES, root / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    return install_wheels([root / "sources" / name for name in PACKAGES], root)


@pytest.fixture
def run_example(start, installed, monkeypatch, tmp_path):
    """Runs the recipe of a package on other data, in a process that sees it; gives its results."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.delenv("COVIEW_PLUGIN_AUTOLOAD", raising=False)

    def run_example(recipe, *sets, name="runs"):
        options = [word for given in (*sets, "train.device=cpu", "data.workers=0") for word in ("--set", given)]
        done = start("run", SOURCES / recipe, "--out", name, *options)
        assert done.status == 0, done.err
        (run,) = (tmp_path / name).glob("*/*")
        rows = json.loads((run / "results.json").read_text())["results"]
        return {(row["evaluator"], row["metric"], row["kind"]): row["value"] for row in rows}

    return run_example


@pytest.fixture
def import_example(installed, monkeypatch):
    """Makes the packages importable here."""
    monkeypatch.syspath_prepend(installed)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("coview_graphs",)]:
        del sys.modules[name]


def communities():
    """Features, classes and edges of two communities, whose nodes hardly differ by themselves."""
    rng = np.random.default_rng(0)
    of_N = np.arange(NODES) % 2
    features_NF = (rng.random((NODES, FEATURES)) < 0.2 + 0.2 * (np.arange(FEATURES) % 2 == of_N[:, None])).astype(float)
    features_NF[:, 0] = 1
    edges = {(a, b) for a in range(NODES) for b in range(a) if rng.random() < (0.2 if of_N[a] == of_N[b] else 0.01)}
    return features_NF, of_N, edges


@pytest.fixture
def planetoid(tmp_path):
    """The two communities in Planetoid's files: 10 nodes with a class, 20 of them for testing, in another order."""
    features_NF, of_N, edges = communities()
    onehot_NC = np.eye(2, dtype=np.int64)[of_N]
    tested = np.random.default_rng(1).permutation(np.arange(40, NODES))
    graph = defaultdict(list)
    for a, b in edges:
        graph[a].append(b)
        graph[b].append(a)
    parts = {
        "x": scipy.sparse.csr_matrix(features_NF[:10]),
        "y": onehot_NC[:10],
        "allx": scipy.sparse.csr_matrix(features_NF[:40]),
        "ally": onehot_NC[:40],
        "tx": scipy.sparse.csr_matrix(features_NF[tested]),
        "ty": onehot_NC[tested],
        "graph": graph,
    }
    root = tmp_path / "planetoid"
    root.mkdir()
    for name, part in parts.items():
        (root / f"ind.tiny.{name}").write_bytes(pickle.dumps(part, protocol=2))
    (root / "ind.tiny.test.index").write_text("\n".join(map(str, tested)))
    return root


def test_a_node_level_method_trains_on_a_graph(run_example, planetoid):
    """With the cache, in which each part encodes the whole graph, it makes the same to the last digits."""
    sets = (f"data.root={planetoid}", "data.name=tiny", f"encoder.inputs={FEATURES}", "train.steps=40")
    sets += ("encoder.width=16", "train.batch_size=10", "optimizer.lr=0.01", "train.precision=fp32")
    found = run_example("coview-graphs/grace-cora.toml", *sets)
    accuracy = {kind: value for (_, metric, kind), value in found.items() if metric == "accuracy"}
    assert accuracy.keys() == {"pretrained", "untrained", "raw"}
    assert accuracy["pretrained"] >= 0.9
    assert accuracy["pretrained"] > accuracy["raw"]
    cached = run_example("coview-graphs/grace-cora.toml", *sets, "train.grad_cache=3", name="cached")
    assert cached.keys() == found.keys()


SMALL_TASTES = ("data.use=tastes", "data.users=60", "data.items=80", "data.tastes=2")


@pytest.mark.parametrize("recipe", ["lightgcn", "sgl", "simgcl"])
def test_a_recommender_finds_what_a_user_chooses(run_example, recipe):
    sets = (*SMALL_TASTES, "encoder.user.users=60", "encoder.user.items=80", "train.epochs=20", "optimizer.lr=0.02")
    found = run_example(f"coview-recsys/{recipe}.toml", *sets, "train.batch_size=128")
    ranks = {kind: value for (_, metric, kind), value in found.items() if metric == "recall@20"}
    assert ranks["pretrained"] > 1.2 * ranks["untrained"]


def test_two_processes_train_what_one_does(run_example, tmp_path):
    """The extras of both are gathered, and each has what users have chosen."""
    sets = [*SMALL_TASTES, "encoder.user.items=80", "encoder.item.items=80", "train.epochs=2", "evaluate=[]"]
    sets += ["train.batch_size=60", "train.device=cpu", "data.workers=0"]
    recipe = SOURCES / "coview-recsys" / "two-towers.toml"
    found = []
    for ranks in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
        options = [word for given in sets for word in ("--set", given)]
        command = [sys.executable, *launcher, "-m", "coview", "run", recipe, "--out", tmp_path / str(ranks), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (weights,) = (tmp_path / str(ranks)).glob("*/*/checkpoints/*/weights.safetensors")
        found.append(load_file(weights))
    one, two = found
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, rtol=0, atol=1e-5), name


def test_the_recommenders_own_tests_pass_with_its_wheel(installed, run_example):
    tests = SOURCES / "coview-recsys" / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_graphs_parts_keep_their_promises(import_example, planetoid):
    from coview_graphs.corrupt import Corrupt
    from coview_graphs.gcn import GCN
    from coview_graphs.nodes import Nodes
    from coview_graphs.planetoid import Planetoid

    check_dataset(Planetoid, parameters={"root": planetoid, "name": "tiny"})
    features_NF, of_N, edges = communities()
    test = Planetoid(split="test", root=planetoid, name="tiny")
    assert [(sample.id, sample.label) for sample in map(test.__getitem__, range(20))] == [
        (node, of_N[node]) for node in range(40, NODES)
    ]
    graph = test.context
    np.testing.assert_allclose(graph.features_NF, features_NF / features_NF.sum(1, keepdims=True), rtol=1e-6)
    dense_NN = np.eye(NODES)
    for a, b in edges:
        dense_NN[a, b] = dense_NN[b, a] = 1
    scale_N = dense_NN.sum(1) ** -0.5
    np.testing.assert_allclose(graph.adjacency().to_dense(), scale_N[:, None] * dense_NN * scale_N, rtol=1e-5)
    values = [test[row]["node"] for row in range(5)]
    excepted = {"can_be_tried_out": "there is no sparse product without numbers: it is tried on the CPU"}
    check_encoder(GCN, Nodes(), values, parameters={"inputs": FEATURES}, context=graph, except_for=excepted)
    corrupted = Corrupt(edges=0.5, features=0.25)(graph, coview.Rng(seed=1))
    assert 0.3 < corrupted.edges_2E.shape[1] / len(edges) < 0.7
    hidden_F = (corrupted.features_NF == 0).all(0)
    torch.testing.assert_close(corrupted.features_NF, graph.features_NF * ~hidden_F)
    (planetoid / "ind.tiny.x").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(coview.CoviewError, match=r"ind.tiny.x is none of Planetoid's files: it asks for posix.system"):
        Planetoid(root=planetoid, name="tiny")
