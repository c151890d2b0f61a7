"""How many threads compute on a CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from coview.data.cores import available_cores

_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads() -> None:
    """Has PyTorch compute with no more threads than this process has cores, unless the user has said how many.

    PyTorch counts the cores of the machine. In a container that may keep two of sixty-four busy, sixty-four threads
    would wait for each other. Loader processes need no core of their own: they give way.
    """
    if not any(os.environ.get(name) for name in _SETTINGS):
        torch.set_num_threads(min(torch.get_num_threads(), available_cores()))


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """PyTorch computes on so many threads here, and afterwards on as many as before.

    Threads of Python that are started meanwhile have a number of their own to set, and change that of libraries which
    have one for all: this gives it back too.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
