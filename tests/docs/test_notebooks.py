"""The notebooks of ``examples/notebooks`` run from their first cell to their last, each in a process of its own."""

from __future__ import annotations

import json

import pytest
from docs_pages import REPOSITORY

from forked import Forked

NOTEBOOKS = sorted((REPOSITORY / "examples" / "notebooks").glob("*.ipynb"))
MOST_SECONDS = 300


def code_of(notebook):
    """The code cells, one below the other."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("forks")
def test_a_notebook_runs(notebook, tmp_path):
    (tmp_path / "cells.py").write_text(code_of(notebook))
    environment = {"MPLBACKEND": "agg", "PYTHONWARNINGS": "ignore:FigureCanvasAgg:UserWarning"}
    status, printed, _ = Forked(["python", "cells.py"], tmp_path, environment=environment, together=True).finish(
        MOST_SECONDS
    )
    assert status == 0, printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    for cell in json.loads(notebook.read_text())["cells"]:
        assert cell.get("outputs", []) == [], notebook.name
        assert cell.get("execution_count") is None, notebook.name
