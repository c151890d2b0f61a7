"""One run on several machines of a Ray cluster, by Ray Train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.errors import CoviewError, Interrupted
from coview.launch.on_nodes import RunOnNodes
from coview.plugins.discovery import load_plugins
from coview.recipe.load import load_recipe

_RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU"}


@dataclass(frozen=True)
class RayNodes:
    """Workers of Ray Train, as many on each machine as there are processes, which Ray starts again where some die.

    Attributes:
        folder: Where Ray keeps what it writes of the run, on a disk that all machines see.
        settings: Of each worker: ``num_gpus``, ``num_cpus``, …; by default one GPU where the cluster has some.
        say: Gets lines.
        address: Of the cluster; absent: the one that ``RAY_ADDRESS`` names, else a new one on this machine.
    """

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    say: Callable[[str], None] = print
    address: str | None = None

    def run(self, asked: RunOnNodes, /) -> None:
        """As :class:`coview.launch.on_nodes.NodeLauncher`."""
        try:
            import ray  # of the extra "ray"
            from ray.train import FailureConfig, RunConfig, ScalingConfig  # of the same
            from ray.train.torch import TorchTrainer  # of the same
        except ImportError as error:
            raise CoviewError(
                f"a run on several machines of a Ray cluster needs Ray Train: {error}", hint="pip install 'coview[ray]'"
            ) from error
        if not ray.is_initialized():
            try:
                ray.init(address=self.address)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise CoviewError(f"there is no Ray cluster at {self.address}: {error}") from error
        has_gpus = ray.cluster_resources().get("GPU", 0) > 0
        given = {_RESOURCES.get(name, name): value for name, value in self.settings.items()}
        each = {"CPU": 1, **({"GPU": 1} if has_gpus else {}), **given}
        trainer = TorchTrainer(
            _on_worker,
            train_loop_config={"asked": asked},
            scaling_config=ScalingConfig(
                num_workers=asked.nodes * (asked.per_node or 1),
                use_gpu=each.get("GPU", 0) > 0,
                resources_per_worker=each,
                placement_strategy="SPREAD" if asked.nodes > 1 else "PACK",
            ),
            run_config=RunConfig(
                storage_path=str(self.folder.absolute()), failure_config=FailureConfig(max_failures=asked.restarts)
            ),
        )
        self.say(f"Ray Train on {asked.nodes} nodes; what Ray writes is in {self.folder}")
        try:
            trainer.fit()
        except KeyboardInterrupt as stop:
            raise Interrupted("interrupted; the same command goes on from the last checkpoint") from stop
        except Exception as error:  # Ray's own, around whatever a worker has raised
            raise CoviewError(
                f"the run on Ray failed: {str(error).strip().splitlines()[-1]}",
                hint="the same command goes on from the last checkpoint",
            ) from error


def _on_worker(config: Mapping[str, Any]) -> None:
    """What each worker does, in a process group that Ray has made."""
    from coview.experiment.run import run  # torch costs start-up time

    asked: RunOnNodes = config["asked"]
    registry = load_plugins(disable=asked.disabled)
    run(load_recipe(asked.recipe, registry), asked.out, registry=registry, resume=True)
