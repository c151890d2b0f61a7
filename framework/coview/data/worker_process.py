"""A loader process among others: what it does first, and when it ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from functools import cache
from multiprocessing.util import Finalize
from typing import Any

from coview.data.freed_memory import keep_freed_memory

_GIVES_WAY = 5
"""What is added to a process's niceness: it then gets a third of the time of one that needs the same core.

The threads of a step share its work equally, so that all of them wait for one whose core is loading. They have the
core first, and what loads takes what they leave: a whole core as soon as they wait for a batch. With 10 it would get
too little where somebody else computes on all cores: 348 samples a second and not 771 (benchmarks/contention.py).
"""


class WorkerStart:
    """What a loader process does first; made in the main process.

    Args:
        gives_way: Whether the main process computes on the cores that the loader processes need too.
    """

    def __init__(self, *, gives_way: bool = False) -> None:
        self._gives_way = gives_way
        self._main_ends = _end_of_process(os.getpid())

    def __call__(self, worker: int) -> None:
        """Called by PyTorch's loader."""
        self._leave_stopping_to_the_main_process()
        if self._gives_way and os.name == "posix":
            os.nice(_GIVES_WAY)
        keep_freed_memory()

    def _leave_stopping_to_the_main_process(self) -> None:
        """Ctrl-C and a scheduler's SIGTERM reach the whole process group.

        A worker that died of it would make PyTorch raise in the main process, wherever that is, before it has written
        its checkpoint. Workers end when the loader does, or when the main process does: one that still has a loader in
        a variable, or in a traceback, sends SIGTERM at its end and waits.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0) if self._main_ends.value else None)


@cache
def _end_of_process(process: int) -> Any:
    """A number that is shared with the processes that this one starts, and becomes 1 before it ends them."""
    ends = multiprocessing.RawValue(ctypes.c_bool, False)

    def note() -> None:
        ends.value = True

    Finalize(None, note, exitpriority=0)
    return ends
