"""The processes of a loader, and what becomes of a run when the system ends one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from torch.utils.data import DataLoader

from coview.errors import CoviewError

_HINTS = {
    "SIGKILL": "Linux ends a process in this way when memory is short, and dmesg then says so: fewer loader processes "
    "need less (--set data.workers=1, which changes no result)",
    "SIGBUS": "a process ends in this way when shared memory is full: look at df /dev/shm, or take fewer loader "
    "processes (--set data.workers=1, which changes no result)",
}
_ELSE = "a library that reads or augments the data may have crashed: --set data.workers=0 loads without processes"

_SECONDS = 10.0


class LoaderFailedError(CoviewError):
    """The system has ended a loader process, or has no memory for what it sends. Nothing is wrong with the data."""


def batches_of(loader: DataLoader[Any]) -> Generator[Any, None, None]:
    """What a loader gives.

    Raises:
        LoaderFailedError: When the loader waits for a process that has ended.
    """
    before = set(multiprocessing.active_children())
    with _signal_handler_kept():
        batches = iter(loader)
    processes = sorted(set(multiprocessing.active_children()) - before, key=lambda process: process.pid or 0)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:
            if isinstance(error, OSError | EOFError):
                _wait_for_an_end(processes)
            found = [process for process in processes if process.exitcode not in (None, 0)]
            for process in processes:  # the error's traceback keeps the loader, which would have them wait
                process.kill()
            if found:
                raise _explained(found[0], processes) from error
            raise
        yield batch


def _wait_for_an_end(processes: list[Any]) -> None:
    """What was being received breaks off before the process has ended, and its files are closed before it can be asked
    how it ended."""
    ended = wait([process.sentinel for process in processes], _SECONDS)
    for process in processes:
        if process.sentinel in ended:
            process.join(_SECONDS)


@contextmanager
def _signal_handler_kept() -> Iterator[None]:
    """Has the handler for the end of a child be what it was.

    PyTorch sets one that raises wherever the main thread is, in the middle of an optimiser step too, after which there
    is nothing whole to write a checkpoint of. Without it the loader finds out when it waits for the process.
    """
    ours = os.name == "posix" and threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD) if ours else None
    yield
    if before is not None:
        signal.signal(signal.SIGCHLD, before)


def _explained(process: Any, processes: list[Any]) -> LoaderFailedError:
    which = f"loader process {processes.index(process) + 1} of {len(processes)} (pid {process.pid})"
    if process.exitcode > 0:
        return LoaderFailedError(f"{which} ended with status {process.exitcode}", hint=f"{_ELSE}; go on with --resume")
    name = signal.Signals(-process.exitcode).name
    return LoaderFailedError(f"{which} was killed by {name}", hint=f"{_HINTS.get(name, _ELSE)}; go on with --resume")
