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
    """PyTorch computes on this many threads inside the ``with`` block, and on as many as before afterwards.

    PyTorch keeps the number for each thread of Python. One that is started inside the block has to set its own with
    ``torch.set_num_threads``. That also changes libraries which keep one number for all threads, and the end of the
    block gives this number back too.

    Args:
        threads: At least 1.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
