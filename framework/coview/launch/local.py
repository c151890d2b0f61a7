"""On this machine: one process for each run, so many at a time, each with a device of its own where there are some."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from coview.data.cores import available_cores
from coview.errors import Interrupted
from coview.launch.job import Done, Job, run_job
from coview.launch.parent import end_with_parent


@dataclass(frozen=True)
class LocalLauncher:
    """Runs in processes of this machine.

    Attributes:
        local_processes: How many at a time.
        devices: Values of ``CUDA_VISIBLE_DEVICES`` to hand out, one to each process in turn; none leaves it as it is.
    """

    local_processes: int = 1
    devices: Sequence[str] = ()

    def launch(self, jobs: Sequence[Job], /) -> Generator[Done, None, None]:
        """Makes them all.

        Raises:
            Interrupted: If this process is asked to stop; the runs are asked too, and write checkpoints.
        """
        # a server that has imported torch and the plugins once, and started nothing, forks each run in no time
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["coview.launch.preloaded", *_safe_to_fork(jobs)])
        waiting = list(jobs)
        running: dict[Any, tuple[Any, Connection, Job, int]] = {}  # by the sentinel of its process
        slots = list(range(self.local_processes))
        cores = available_cores()
        threads = max(1, cores // self.local_processes)
        try:
            while waiting or running:
                while waiting and slots:
                    slot, job = slots.pop(0), waiting.pop(0)
                    device = self.devices[slot % len(self.devices)] if self.devices else None
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(target=_work, args=(job, theirs, device, threads))
                    process.start()
                    theirs.close()
                    running[process.sentinel] = process, ours, job, slot
                for sentinel in wait(list(running)):
                    process, ours, job, slot = running.pop(sentinel)
                    slots.append(slot)
                    yield _outcome(process, ours, job)
        except KeyboardInterrupt as stop:
            _stop([process for process, *_ in running.values()])
            raise Interrupted(
                "interrupted; the runs that have finished are kept, and the same command makes the others"
            ) from stop
        finally:
            _stop([process for process, *_ in running.values()])


def cuda_devices() -> tuple[str, ...]:
    """The cards that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them, without touching any."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(filter(None, visible.split(",")))
    from torch.cuda import device_count  # torch costs start-up time

    return tuple(map(str, range(device_count())))


def _safe_to_fork(jobs: Sequence[Job]) -> list[str]:
    """What all runs import, as the recipes' checks have imported it here; nothing if that has started a card, which a
    forked process could not use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return []
    return sorted({module for job in jobs for module in job.modules})


def _work(job: Job, answer: Connection, device: str | None, threads: int) -> None:
    end_with_parent()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    import torch  # after the device is chosen

    torch.set_num_threads(threads)
    done = run_job(job)
    with suppress(OSError):  # nobody is there any more to be told
        answer.send((done.status, done.reason, done.seconds))


def _outcome(process: Any, answer: Connection, job: Job) -> Done:
    process.join()
    try:
        status, reason, seconds = answer.recv()
    except EOFError:  # it was killed, or crashed in a library's own code
        how = f"was killed by {signal.Signals(-process.exitcode).name}" if process.exitcode < 0 else "ended"
        return Done(job, "failed", f"the process {how} without a message; its log may say more")
    return Done(job, status, reason, seconds)


def _stop(processes: Sequence[Any]) -> None:
    """Asks runs to write a checkpoint and stop, and waits until they have."""
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join()
