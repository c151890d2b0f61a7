"""A loader process that the system ends is a message at the next batch, and never an exception in between."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

import coview
from coview.data.loader import sample_loader
from coview.data.loader_processes import LoaderFailedError, batches_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


class Numbers:
    splits, modalities, classes = (), ("number",), None
    citation = licence = version = ""

    def __init__(self, end=None):
        self.end = end

    def __len__(self):
        return 400

    def __getitem__(self, index):
        if index == 40 and self.end is not None:
            self.end()
        return coview.Sample({"number": np.full(3, index)}, id=index)


class Nameless(Numbers):
    """Whose samples have another modality than it says."""

    def __getitem__(self, index):
        return coview.Sample({"name": index}, id=index)


class Collate:
    def collate(self, values):
        return torch.from_numpy(np.stack(values))


def batches(end=None, workers=2):
    return sample_loader(Numbers(end), "number", Collate(), batch_size=4, workers=workers)


def remaining(others, seconds=5.0):
    """Children that were not there before, and are after a moment."""
    ended_by = time.monotonic() + seconds
    while (mine := set(multiprocessing.active_children()) - others) and time.monotonic() < ended_by:
        time.sleep(0.02)
    return mine


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("end", "said", "hint"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by SIGKILL", "memory is short"),
        slow(lambda: os.kill(os.getpid(), signal.SIGBUS), "was killed by SIGBUS", "/dev/shm"),
        slow(lambda: os.kill(os.getpid(), signal.SIGSEGV), "was killed by SIGSEGV", "--set data.workers=0"),
        slow(lambda: os._exit(3), "ended with status 3", "--set data.workers=0"),
    ],
    ids=["memory", "shared memory", "a crash", "an exit"],
)
def test_it_is_named_with_what_may_help(end, said, hint):
    before, others = signal.getsignal(signal.SIGCHLD), set(multiprocessing.active_children())
    loader = batches(end)
    found = []
    with pytest.raises(LoaderFailedError) as raised:
        found.extend(batch.ids.tolist() for batch in loader)
    assert found == [list(range(first, first + 4)) for first in range(0, 4 * len(found), 4)]
    assert said in raised.value.message
    assert " of 2 (pid " in raised.value.message
    assert hint in raised.value.hint
    assert "--resume" in raised.value.hint
    assert signal.getsignal(signal.SIGCHLD) is before
    assert not remaining(others), "while the error, and so the loader, is kept"


def test_until_the_next_batch_nothing_is_raised():
    """PyTorch's own handler raises in the middle of whatever the main thread does."""
    others = set(multiprocessing.active_children())
    loader = batches(workers=1)
    next(loader)
    (process,) = set(multiprocessing.active_children()) - others
    os.kill(process.pid, signal.SIGKILL)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        torch.ones(10).sum()
    with pytest.raises(LoaderFailedError):
        list(loader)


class BreaksOff:
    """A loader whose process has closed its files, so that what it sends breaks off, and ends somewhat later."""

    def __iter__(self):
        multiprocessing.get_context("fork").Process(target=self.end, daemon=True).start()
        return self

    def __next__(self):
        raise ConnectionResetError(104, "Connection reset by peer")

    @staticmethod
    def end():
        os.closerange(3, 4096)
        time.sleep(0.3)
        os._exit(3)


def test_a_process_that_has_closed_its_files_and_not_yet_ended_is_waited_for():
    with pytest.raises(LoaderFailedError, match="ended with status 3"):
        list(batches_of(BreaksOff()))


def test_what_a_worker_raises_stays_what_it_is():
    def fail():
        raise ZeroDivisionError("of the data set")

    others = set(multiprocessing.active_children())
    with pytest.raises(ZeroDivisionError, match="of the data set") as raised:
        list(batches(fail))
    assert not remaining(others), f"while {raised.value!r}, and so the loader, is kept"


def test_what_is_wrong_with_a_batch_ends_the_processes():
    others = set(multiprocessing.active_children())
    with pytest.raises(coview.CoviewError, match="has no value of number") as raised:
        list(sample_loader(Nameless(), "number", Collate(), batch_size=4, workers=2))
    assert not remaining(others), f"while {raised.value!r}, and so the loader, is kept"
