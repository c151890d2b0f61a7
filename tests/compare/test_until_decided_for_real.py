"""``until = "decided"`` of real runs, interrupted by Ctrl-C and continued, against one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

RECIPE = """
schema = 1
name = "decide"
[data]
use = "digits"
workers = 0
[[augment]]
use = "random_resized_crop"
size = 8
[encoder]
use = "vit"
image_size = 8
patch = 4
width = 16
layers = 1
heads = 2
pool = "mean"
[projector]
hidden = 16
width = 8
[loss]
use = "nt_xent"
[optimizer]
use = "sgd"
lr = 0.05
[train]
steps = 3
batch_size = 32
precision = "fp32"
device = "cpu"
[[evaluate]]
use = "knn"
k = 5
[compare]
metric = "knn/accuracy"
until = "decided"
budget = 14
[sweep.grid]
seed = [0, 1, 2, 3, 4, 5, 6, 7]
[[sweep.zip]]
label = "warm"
"loss.temperature" = 0.5
[[sweep.zip]]
label = "warmer"
"loss.temperature" = 0.501
[[sweep.zip]]
label = "blind"
"encoder.patch" = 8
"encoder.width" = 1
"encoder.heads" = 1
"""


def started(path, out):
    command = [sys.executable, "-m", "coview", "compare", str(path), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def ended(process):
    out, err = process.communicate(timeout=1800)
    return process.returncode, out, err


def finished(out):
    return len(list(out.rglob("results.json")))


def interrupt_after(path, out, cells):
    """Asks it to stop once so many cells have a result, which is in the middle of the next one, or of the report."""
    process = started(path, out)
    for _ in range(9000):
        if finished(out) >= cells or process.poll() is not None:
            break
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    return ended(process)


def table_of(out):
    cells = pandas.read_csv(out / "decide" / "cells.csv")
    return cells.drop(columns=["seconds", "run"]), (out / "decide" / "table.md").read_text()


@pytest.mark.slow
def test_interrupted_and_continued_real_runs_decide_alike(tmp_path):
    path = Path(tmp_path / "decide.toml")
    path.write_text(RECIPE)
    alone, again = tmp_path / "alone", tmp_path / "again"
    status, said, err = ended(started(path, alone))
    assert status == 0, err
    assert "decide: 1 pairs undecided, 4 more cells for the next look" in said
    assert "decide: the budget is spent, 1 pairs undecided: it takes 19 cells in all, of 14" in said
    for cells in (4, 10):  # in the first look, and in the second
        status, _, err = interrupt_after(path, again, cells)
        assert status == 130, err
        assert "interrupted" in err
    status, said, err = ended(started(path, again))
    assert status == 0, err
    assert "decide: the budget is spent, 1 pairs undecided" in said
    cells, text = table_of(alone)
    other, other_text = table_of(again)
    assert cells.groupby("variant").size().to_dict() == {"warm": 5, "warmer": 5, "blind": 3}
    pandas.testing.assert_frame_equal(cells, other)
    assert text == other_text
    assert finished(alone) == finished(again) == 13
    assert not list(again.rglob("failed.txt"))
