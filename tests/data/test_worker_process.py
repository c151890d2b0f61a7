"""Loader processes give way to what computes on the same cores, and end with the main process, however that ends."""

from __future__ import annotations

import json
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


ENDINGS = {
    "with an open loader": ("use()", 0),
    "by an exception": (
        "use()\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    sys.last_value = error\n    raise",
        1,
    ),
    "in a child process": (
        "p = multiprocessing.get_context('fork').Process(target=use)\np.start()\np.join()\nsys.exit(p.exitcode)",
        0,
    ),
}
"""Each with the status that it ends with."""

EACH = """
import json, os, signal, time

endings, started = json.loads(sys.argv[1]), {}
for name, ending in endings.items():
    if not (process := os.fork()):  # what follows is the script: it goes on to its end, as Python ends any
        said = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1), os.dup2(said, 2)
        break
    started[process] = name
else:
    ended, until = {}, time.monotonic() + 60
    while len(ended) < len(started) and time.monotonic() < until:
        for process, name in started.items():
            if name not in ended and (found := os.waitpid(process, os.WNOHANG))[0]:
                ended[name] = os.waitstatus_to_exitcode(found[1])
        time.sleep(0.02)
    for process, name in started.items():
        if name not in ended:
            os.kill(process, signal.SIGKILL)
    print(json.dumps(ended))
    ending = ""
exec(ending)
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The folder with what each ending has said, and its status; it has none where it has not ended after a minute.

    Each by a process of its own, which a fresh Python is divided into when all is imported.
    """
    folder = tmp_path_factory.mktemp("ended")
    endings = json.dumps({name: ending for name, (ending, _) in ENDINGS.items()})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + EACH, endings], cwd=folder, timeout=90, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_script_ends(ended, ending):
    folder, statuses = ended
    assert statuses.get(ending) == ENDINGS[ending][1], (folder / ending).read_text()


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
