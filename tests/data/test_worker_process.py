"""Loader processes give way to what computes on the same cores, and end with the main process, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import coview
from coview.data.loader import sample_loader, view_loader
from coview.data.order import Order, RankBatches
from coview.data.views import ViewMaker

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


class Niceness:
    """Samples that say how nice the process is that reads them."""

    splits, modalities, classes = (), ("image",), None
    citation = licence = version = ""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return coview.Sample({"image": np.array([os.nice(0)])}, id=index)


class Stack:
    def collate(self, values):
        return torch.from_numpy(np.stack(values))


def of_samples(device, workers):
    return sample_loader(Niceness(), "image", Stack(), batch_size=4, workers=workers, device=device)


def of_views(device, workers):
    maker = ViewMaker(0, ("image",), [[]], 1)
    batches = RankBatches(Order(8, 4, 0), 0, 2)
    return view_loader(Niceness(), maker, {"image": Stack()}, batches, workers=workers, device=device)


@pytest.mark.skipif(os.name != "posix", reason="this system has no niceness")
@pytest.mark.parametrize("load", [of_samples, of_views])
@pytest.mark.parametrize(("device", "workers", "more"), [("cpu", 2, 5), ("cpu", 0, 0), ("meta", 2, 0), (None, 2, 0)])
def test_they_give_way_where_the_main_process_computes_on_the_cores(load, device, workers, more):
    here = os.nice(0)
    found = [batch.inputs["image"] for batch in load(device and torch.device(device), workers)]
    assert torch.cat(found).unique().tolist() == [here + more]
    assert os.nice(0) == here
