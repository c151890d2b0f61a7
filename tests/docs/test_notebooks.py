"""The notebooks of ``examples/notebooks`` run from their first cell to their last, each in a process of its own.

The quickstart is made small first, by one substitution: one epoch of a narrow encoder, and a probe that chooses nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from docs_pages import REPOSITORY

from forked import Forked

NOTEBOOKS = sorted((REPOSITORY / "examples" / "notebooks").glob("*.ipynb"))
SLOW = {"03-a-comparison"}
WHOLE = 'overrides={"train.epochs": 2}'
SMALLER = (
    'overrides={"train.epochs": 1, "schedule.warmup": 0, "encoder.width": 8, "evaluate.1.draws": 1, '
    '"evaluate.1.standardise": True, "evaluate.1.c": 1.0}'
)


def code_of(notebook):
    """The code cells, one below the other."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_the_first_one_can_be_made_smaller():
    assert code_of(NOTEBOOKS[0]).count(WHOLE) == 1


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW)) for path in NOTEBOOKS],
)
def test_a_notebook_runs(forks, notebook, tmp_path):
    """Without a file: as in a notebook, there is none that the processes of a comparison could import again."""
    code, environment = code_of(notebook).replace(WHOLE, SMALLER), {"MPLBACKEND": "agg"}
    if notebook.stem in SLOW:  # its processes import what Python was started with, and a forked one has been already
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, **environment, "PYTHONWARNINGS": "ignore:FigureCanvasAgg:UserWarning"},
            capture_output=True,
            text=True,
            check=False,
        )
        status, printed = done.returncode, done.stdout + done.stderr
    else:
        status, out, err = Forked(["python", "-c", code], tmp_path, environment=environment).finish()
        printed = out + err
    assert status == 0, printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(notebook):
    for cell in json.loads(notebook.read_text())["cells"]:
        assert cell.get("outputs", []) == [], notebook.name
        assert cell.get("execution_count") is None, notebook.name
