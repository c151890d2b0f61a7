"""One run on several machines: what each of them starts."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from coview.data.atomic import write_atomically
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import to_toml

_FIRST_PORT, _PORTS = 20_000, 20_000


@dataclass(frozen=True)
class RunOnNodes:
    """A run that several machines make together. Their folder has to be one that all of them see.

    It goes on with the latest unfinished run of its recipe: so does a part of it that is started again.

    Attributes:
        recipe: A resolved recipe.
        out: The folder of runs.
        nodes: How many machines.
        per_node: Processes on each of them; absent: one for each GPU, or one.
        restarts: How often all processes are started again after one has died.
        disabled: Plugins that are left out, as :func:`coview.load_plugins` takes them.
    """

    recipe: Path
    out: Path
    nodes: int
    per_node: int | None = None
    restarts: int = 0
    disabled: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Of ``coview``."""
        left_out = [part for name in self.disabled for part in ("--no-plugin", name)]
        return [*left_out, "run", str(self.recipe), "--resume", "--out", str(self.out)]

    def command(self, head: str, number: int, per_node: int) -> list[str]:
        """What one machine starts.

        Args:
            head: The name of the machine that the others meet at.
            number: Of the job: the same on all machines, and another one for each job.
            per_node: Processes on this machine.
        """
        launcher = {
            "nnodes": self.nodes,
            "nproc-per-node": per_node,
            "max-restarts": self.restarts,
            "rdzv-backend": "c10d",
            "rdzv-id": number,
            "rdzv-endpoint": f"{head}:{_FIRST_PORT + number % _PORTS}",
        }
        options = [f"--{name}={value}" for name, value in launcher.items()]
        return [sys.executable, "-m", "torch.distributed.run", *options, "-m", "coview", *self.arguments()]


class OnNode:
    """Makes one machine's part of a run.

    A scheduler that is about to take the machine away calls :meth:`stop`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, asked: RunOnNodes, head: str, number: int) -> int:
        """Starts this machine's processes, and returns their exit status once they have ended."""
        from torch.cuda import device_count  # torch costs start-up time, and is not on every machine that submits

        command = asked.command(head, number, asked.per_node or max(1, device_count()))
        self._process = subprocess.Popen(command, preexec_fn=_deaf)
        return self._process.wait()

    def stop(self) -> None:
        """Has the run write a checkpoint and end, and waits for that."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _deaf() -> None:
    """A scheduler's notice goes to all processes of a job: those of the run wait for what their launcher says."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


class NodeLauncher(Protocol):
    """Makes one run on several machines."""

    def run(self, asked: RunOnNodes, /) -> None:
        """Makes it, and shows meanwhile what its first process says.

        Raises:
            Interrupted: If this process is asked to stop; the run is asked too, and writes a checkpoint.
            CoviewError: If it cannot be started, or fails.
        """
        ...


def write_recipe(recipe: Recipe, folder: Path) -> Path:
    """Writes the resolved recipe where all machines see it: what is changed in its file meanwhile changes no run."""
    path = folder.absolute() / f"{recipe.name}-{recipe.hash[:6]}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_toml(recipe.tables))
    return path


@dataclass
class FollowedFile:
    """A file that others write, of which each line is shown once.

    Attributes:
        path: The file, which need not be there yet.
    """

    path: Path
    _at: int = field(default=0, init=False)

    def new_text(self) -> str:
        """What was written since the last call, up to the end of a line."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._at)
                read = file.read()
        except FileNotFoundError:
            return ""
        whole = read[: read.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode("utf-8", errors="replace")
