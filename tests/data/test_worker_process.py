"""Loader processes end with the main one, however that ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing, sys
import numpy as np, torch
import coview
from coview.data.loader import sample_loader

class Pictures:
    splits, modalities, classes = (), ("image",), None
    citation = licence = version = ""
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        return coview.Sample({"image": np.full((64, 64, 3), 1, np.uint8)}, id=index)

class Collate:
    def collate(self, values):
        return torch.from_numpy(np.stack(values))

def use():
    global found
    found = sample_loader(Pictures(), "image", Collate(), batch_size=30, workers=2)
    next(found)

"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("use()", 0),
        ("use()\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    sys.last_value = error\n    raise", 1),
        ("p = multiprocessing.get_context('fork').Process(target=use)\np.start()\np.join()\nsys.exit(p.exitcode)", 0),
    ],
    ids=["with an open loader", "by an exception", "in a child process"],
)
def test_a_script_ends(ending, status):
    done = subprocess.run([sys.executable, "-c", SCRIPT + ending], timeout=60, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
