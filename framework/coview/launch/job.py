"""One run to be made somewhere, and what came of it."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from coview.data.file_lock import LockHeldError, file_lock
from coview.errors import CoviewError, Interrupted, UnmeasuredError
from coview.experiment.code import may_go_on
from coview.plugins.discovery import load_plugins
from coview.recipe.load import load_recipe

if TYPE_CHECKING:  # torch costs start-up time
    from coview.experiment.shared_work import SharedWork

Status = Literal["done", "failed", "unmeasured", "interrupted"]
"""``unmeasured``: it failed because a number is asked for that no evaluator measures, and so would the other cells."""

_HOLDER = ".held-by"
"""Beside the lock: who holds it, in words."""


@dataclass(frozen=True)
class Job:
    """A run to be made. Everything in it can be sent to another process or machine that sees the same files.

    Attributes:
        name: What to call it.
        recipe: A resolved recipe.
        out: The folder of its runs.
        log: Where what it prints goes.
        disabled: Plugins that are left out, as :func:`coview.load_plugins` takes them.
        modules: What the run imports to build its components.
        shared: What other runs of the comparison need alike, where they are made on the same machine.
    """

    name: str
    recipe: Path
    out: Path
    log: Path
    disabled: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    shared: SharedWork | None = None


@dataclass(frozen=True)
class Done:
    """What came of a job.

    Attributes:
        job: Which.
        status: Whether it went to its end.
        reason: Why not, in a line; empty if it did.
        seconds: How long it took.
    """

    job: Job
    status: Status
    reason: str = ""
    seconds: float = 0.0


class Launcher(Protocol):
    """Makes runs somewhere."""

    @property
    def local_processes(self) -> int:
        """How many runs it makes at the same time on this machine, whose disk they see, so that they can share what
        they need alike; 0: it makes them elsewhere."""
        ...

    def launch(self, jobs: Sequence[Job], /) -> Generator[Done, None, None]:
        """Makes them all, and yields each as it ends, in whichever order. Closed before its end it makes no more."""
        ...


def run_job(job: Job) -> Done:
    """Makes the run in this process, or goes on with it; what it prints goes to the log. Raises nothing.

    Where another process is making it, as when a comparison was started twice, this waits, and takes what that one has
    made: it is then done, or there is a checkpoint to go on from.
    """
    started = time.monotonic()
    job.log.parent.mkdir(parents=True, exist_ok=True)
    _say_who_makes_it(job)
    with _printing_to(job.log), file_lock(job.out / ".lock", wait=True, say=print), _named(job):
        status, reason = _run(job)
        if reason:
            print(reason, flush=True)
    return Done(job, status, reason.splitlines()[0] if reason else "", time.monotonic() - started)


def _say_who_makes_it(job: Job) -> None:
    """Tells once, where the comparison is followed, that another process has the job."""
    try:
        with file_lock(job.out / ".lock", wait=False, say=lambda text: None):
            return
    except LockHeldError:
        with suppress(OSError):  # it has just ended
            holder = (job.out / _HOLDER).read_text(encoding="utf-8", errors="replace").strip()
            print(f"  {job.name}: {holder} trains it; this process waits for it", flush=True)


@contextmanager
def _named(job: Job) -> Iterator[None]:
    """Leaves word of who makes the job."""
    path = job.out / _HOLDER
    with suppress(OSError):
        path.write_text(f"process {os.getpid()} of {platform.node()}", encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _run(job: Job) -> tuple[Status, str]:
    from coview.experiment.run import run  # torch costs start-up time

    try:
        registry = load_plugins(disable=job.disabled)
        recipe = load_recipe(job.recipe, registry)
        run(recipe, job.out, registry=registry, resume=may_go_on(job.out, recipe, registry), shared=job.shared)
    except (Interrupted, KeyboardInterrupt) as stop:
        return "interrupted", str(stop) or "interrupted"
    except UnmeasuredError as error:
        return "unmeasured", f"{error.message} ({error.hint})"
    except CoviewError as error:
        return "failed", str(error)
    except BaseException as error:  # a bug of one cell's stops no other; its traceback is in the log
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {error}"
    return "done", ""


@contextmanager
def _printing_to(path: Path) -> Iterator[None]:
    """Sends what this process and its children print to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
