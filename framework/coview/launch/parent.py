"""A process of a comparison ends when the comparison does, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """Has this process asked to stop, by SIGTERM, once the process that started it is gone: a run then writes a
    checkpoint, ends, and so releases its lock. Does nothing in a process that multiprocessing has not started.

    A parent that is killed cannot ask. It holds one end of a pipe whose other end is here, which the system closes with
    it, on every platform.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), name="watches the parent", daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
