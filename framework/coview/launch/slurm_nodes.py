"""One run on several machines of a Slurm cluster, as one job through submitit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.errors import CoviewError, Interrupted
from coview.launch.on_nodes import FollowedFile, OnNode, RunOnNodes
from coview.launch.slurm import slurm_executor

_EVERY = 1.0
_STOPPED = 130
"""The exit status of a run that was asked to stop, and has written a checkpoint."""


@dataclass(frozen=True)
class SlurmNodes:
    """One job of as many tasks as there are machines, each of which starts the processes of its machine.

    Attributes:
        folder: Where submitit keeps its files, on a disk that all machines see.
        settings: Of submitit's executor: ``slurm_partition``, ``gpus_per_node``, ``timeout_min``, …
        say: Gets lines.
        cluster: submitit's.
    """

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    say: Callable[[str], None] = print
    cluster: str = "slurm"

    def run(self, asked: RunOnNodes, /) -> None:
        """As :class:`coview.launch.on_nodes.NodeLauncher`."""
        with slurm_executor(self.folder, self.cluster) as executor:
            executor.update_parameters(**{"name": "coview", **self.settings, "nodes": asked.nodes, "tasks_per_node": 1})
            job = executor.submit(_Part(), asked)
        self.say(f"Slurm job {job.job_id} on {asked.nodes} nodes; what they print is in {job.paths.folder}")
        first = [FollowedFile(Path(path)) for path in (job.task(0).paths.stdout, job.task(0).paths.stderr)]
        try:
            while not job.done():
                self._show(first)
                time.sleep(_EVERY)
        except KeyboardInterrupt as stop:
            job.cancel()
            raise Interrupted(
                f"interrupted; Slurm job {job.job_id} is cancelled, and goes on from its last checkpoint when the same "
                "command is given"
            ) from stop
        self._show(first)
        try:
            ended = job.results()
        except Exception as error:  # submitit's, and what unpickling may raise
            raise CoviewError(f"Slurm job {job.job_id}: {str(error).splitlines()[0]}", hint=_AGAIN) from error
        if failed := [f"node {node} with exit status {status}" for node, status in enumerate(ended) if status]:
            if all(status in (0, _STOPPED) for status in ended):
                raise Interrupted(f"Slurm job {job.job_id} was asked to stop; a checkpoint is written")
            raise CoviewError(
                f"Slurm job {job.job_id} failed, {', '.join(failed)}; what they print is in {job.paths.folder}",
                hint=_AGAIN,
            )

    def _show(self, files: list[FollowedFile]) -> None:
        for file in files:
            if text := file.new_text():
                self.say(text.rstrip("\n"))


_AGAIN = "the same command goes on from the last checkpoint"


class _Part(OnNode):
    """One task of the job. submitit calls :meth:`checkpoint` before the job's time is over, and submits what it returns
    in its place."""

    def __call__(self, asked: RunOnNodes, *given: Any) -> int:
        import submitit  # of the extra "slurm"

        here = submitit.JobEnvironment()
        return super().__call__(asked, here.hostnames[0], int(here.job_id.split("_")[0]))

    def checkpoint(self, asked: RunOnNodes) -> Any:
        import submitit  # of the extra "slurm"

        self.stop()
        return submitit.helpers.DelayedSubmission(_Part(), asked)
