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
    would wait for each other.
    """
    if not _are_set():
        torch.set_num_threads(min(torch.get_num_threads(), available_cores()))


@contextmanager
def beside_loader(workers: int, device: torch.device) -> Iterator[None]:
    """Leaves one core to the loader processes, unless the user has said how many threads there are.

    Threads share the work of a step equally, so that all of them wait for the one whose core is loading.

    Args:
        workers: Loader processes.
        device: Where to compute; threads are of no matter to a GPU.
    """
    before = torch.get_num_threads()
    if not workers or device.type != "cpu" or _are_set():
        yield
        return
    torch.set_num_threads(max(1, min(before, available_cores() - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _are_set() -> bool:
    return any(os.environ.get(name) for name in _SETTINGS)
