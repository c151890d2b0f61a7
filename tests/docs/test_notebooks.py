"""The notebooks of ``examples/notebooks`` run from their first cell to their last, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from docs_pages import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "examples" / "notebooks").glob("*.ipynb"))
SLOW = {"03-a-comparison"}


def code_of(notebook):
    """The code cells, one below the other."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW)) for path in NOTEBOOKS],
)
def test_a_notebook_runs(notebook, tmp_path):
    """Without a file: as in a notebook, there is none that the processes of a comparison could import again."""
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore:FigureCanvasAgg:UserWarning"}
    done = subprocess.run(
        [sys.executable, "-c", code_of(notebook)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    for cell in json.loads(notebook.read_text())["cells"]:
        assert cell.get("outputs", []) == [], notebook.name
        assert cell.get("execution_count") is None, notebook.name
