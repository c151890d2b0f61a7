"""On a Slurm cluster through submitit: one job for each run."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from coview.errors import CoviewError
from coview.launch.job import Done, Job, run_job

_EVERY = 2.0


@dataclass(frozen=True)
class SlurmLauncher:
    """Runs as Slurm jobs. Their folder has to be one that all nodes see.

    Attributes:
        folder: Where submitit keeps its files.
        settings: Of submitit's executor: ``slurm_partition``, ``gpus_per_node``, ``timeout_min``, …
        cluster: submitit's: ``"slurm"``, or ``"local"`` for processes that stand in for it.
    """

    local_processes: ClassVar[int] = 0
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = "slurm"

    def launch(self, jobs: Sequence[Job], /) -> Generator[Done, None, None]:
        """Submits all of them at once, and waits for each.

        Raises:
            CoviewError: If submitit is not installed, there is no Slurm, or it takes none of the settings.
        """
        with slurm_executor(self.folder, self.cluster) as executor:
            executor.update_parameters(**self.settings)
            waiting = {job: executor.submit(run_job, job) for job in jobs}
        try:
            while waiting:
                for job, submitted in list(waiting.items()):
                    if submitted.done():
                        del waiting[job]
                        yield _outcome(job, submitted)
                time.sleep(_EVERY if waiting else 0)
        except GeneratorExit:
            for submitted in waiting.values():
                submitted.cancel()
            raise


@contextmanager
def slurm_executor(folder: Path, cluster: str = "slurm") -> Iterator[Any]:
    """submitit's executor, and what it raises as messages.

    Args:
        folder: Where submitit keeps its files.
        cluster: submitit's.

    Raises:
        CoviewError: If submitit is not installed, there is no Slurm, or it takes none of the settings.
    """
    try:
        import submitit  # of the extra "slurm"
    except ImportError as error:
        raise CoviewError(
            "jobs are submitted to Slurm by submitit, which is not installed", hint="pip install 'coview[slurm]'"
        ) from error
    try:
        yield submitit.AutoExecutor(folder=folder, cluster=cluster)
    except (RuntimeError, TypeError, NameError, OSError, submitit.core.utils.FailedJobError) as error:
        raise CoviewError(f"Slurm takes no jobs: {error}") from error


def _outcome(job: Job, submitted: Any) -> Done:
    try:
        done = submitted.result()
    except Exception as error:  # submitit's, and what unpickling may raise
        return Done(job, "failed", f"Slurm job {submitted.job_id}: {str(error).splitlines()[0]}")
    assert isinstance(done, Done)
    return done
