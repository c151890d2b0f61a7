"""The packages in ``examples/`` as a user has them: their wheels, installed by pip, and runs that see them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from wheels import install_wheels

SOURCES = Path(__file__).parents[1] / "examples"
PACKAGES = sorted(path.name for path in SOURCES.iterdir() if (path / "pyproject.toml").exists())
ON_A_CPU = ("train.device=cpu", "data.workers=0")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which pip has installed the wheels."""
    root = tmp_path_factory.mktemp("examples")
    shutil.copytree(SOURCES, root / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    return install_wheels([root / "sources" / name for name in PACKAGES], root)


@pytest.fixture
def seeing(installed, monkeypatch):
    """Processes see the packages, by their entry points."""
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delenv("COVIEW_PLUGIN_AUTOLOAD", raising=False)


@pytest.fixture
def run_example(fork_command, seeing, tmp_path):
    """Runs a recipe on other data; gives its numbers by metric and kind of features."""

    def run_example(recipe, *sets, name="runs"):
        options = [word for given in (*sets, *ON_A_CPU) for word in ("--set", given)]
        done = fork_command("run", SOURCES / f"{recipe}.toml", "--out", name, *options)
        assert done.status == 0, done.err
        # Python 3.13 says so of PyTorch Geometric's own call, which nobody sees outside of tests
        said = [line for line in done.err.splitlines() if "'typing._eval_type' is deprecated" not in line]
        assert "deprecated" not in "\n".join(said), done.err
        (run,) = (tmp_path / name).glob("*/*")
        rows = json.loads((run / "results.json").read_text())["results"]
        # those with an `of` stand beside the model: rankings that learn nothing
        return {(row["metric"], row["kind"]): row["value"] for row in rows if not row.get("of")}

    return run_example
