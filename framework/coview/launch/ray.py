"""On a Ray cluster: one task for each run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from coview.errors import CoviewError
from coview.launch.job import Done, Job, run_job


@dataclass(frozen=True)
class RayLauncher:
    """Runs as Ray tasks. Their folder has to be one that all nodes see.

    Attributes:
        address: Of the cluster; absent: the one that ``RAY_ADDRESS`` names, else a new one on this machine.
        settings: Of each task: ``num_gpus``, ``num_cpus``, …
    """

    local_processes: ClassVar[int] = 0
    address: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def launch(self, jobs: Sequence[Job], /) -> Generator[Done, None, None]:
        """Submits all of them at once, and yields each as it ends.

        Raises:
            CoviewError: If Ray is not installed, or there is no cluster.
        """
        try:
            import ray  # of the extra "ray"
        except ImportError as error:
            needed = "the Ray launcher needs ray, which is not installed"
            raise CoviewError(needed, hint="pip install 'coview[ray]'") from error
        if not ray.is_initialized():
            try:
                ray.init(address=self.address, log_to_driver=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise CoviewError(f"there is no Ray cluster at {self.address}: {error}") from error
        # each run has a worker of its own: what it leaves behind in the process is gone with it
        task = ray.remote(max_calls=1, **self.settings)(run_job)
        waiting = {task.remote(job): job for job in jobs}
        try:
            while waiting:
                for ended in ray.wait(list(waiting))[0]:
                    job = waiting.pop(ended)
                    try:
                        done = ray.get(ended)
                    except ray.exceptions.RayError as error:
                        done = Done(job, "failed", f"{type(error).__name__}: {str(error).splitlines()[0]}")
                    yield done
        except GeneratorExit:
            for task_of in waiting:
                ray.cancel(task_of)
            raise
