"""A run from a recipe to its report, and a run that is already on disk."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from accelerate import PartialState
from rich.console import Console
from torch import nn

from coview.errors import CoviewError
from coview.evaluate.result import Result
from coview.experiment.code import changed_code
from coview.experiment.feature_store import FeatureStore
from coview.experiment.folders import existing_folder
from coview.experiment.measured_tower import tower_of
from coview.experiment.session import Session
from coview.experiment.shared_work import SharedWork
from coview.experiment.splits import Splits
from coview.experiment.start import start_weights
from coview.model.topology import Topology, build_topology
from coview.plugins.home import expanded
from coview.plugins.registry import Registry
from coview.recipe.load import load_recipe
from coview.recipe.recipe import Recipe
from coview.track.console import make_console
from coview.track.results_file import RunResults
from coview.track.run_folder import RunFolder
from coview.train.checkpoint import Checkpoint, best_step, check_kept, load_latest, load_step
from coview.train.device import choose_device


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        path: Its folder.
        recipe: Its resolved recipe.
        registry: Where its components come from.
        leads: Whether this process is the one of several that writes and speaks.
        step: Of the checkpoint that it is looked at; None: the latest that is whole.
    """

    path: Path
    recipe: Recipe
    registry: Registry
    leads: bool = True
    step: int | None = None

    @property
    def folder(self) -> RunFolder:
        """The names in its folder."""
        return RunFolder(self.path, self.step)

    @property
    def results(self) -> list[Result]:
        """Its results, controls included; of a step those that were found of it."""
        return list(RunResults.read(self.folder.results).results)

    @property
    def checkpoint(self) -> Checkpoint:
        """The one that :attr:`topology` is of: that of the step, or the latest that was whole.

        Raises:
            CoviewError: If there is none.
        """
        return self._trained[1]

    @cached_property
    def topology(self) -> Topology:
        """Student, teacher, queue and loss as of that checkpoint, on the CPU, in evaluation mode.

        As they are built where nothing was trained, which leaves no checkpoint. Warns of components whose code has
        changed since.
        """
        if changes := changed_code(self.folder, self.recipe, self.registry):
            warnings.warn(f"{self.path} was trained with other code: {'; '.join(changes)}", stacklevel=2)
        if not self.recipe.trains:
            train = Splits(self.recipe, self.registry).training
            start = start_weights(self.recipe, self.registry, self.folder)
            return build_topology(self.recipe, self.registry, train, start=start).eval()
        return self._trained[0]

    @cached_property
    def _trained(self) -> tuple[Topology, Checkpoint]:
        damaged: list[str] = []
        topology = build_topology(self.recipe, self.registry)
        if self.step is not None:
            of_step = load_step(self.folder.checkpoints, self.step, topology)
            return topology.eval(), of_step
        checkpoint = load_latest(self.folder.checkpoints, topology, damaged)
        for line in damaged:
            warnings.warn(f"a damaged checkpoint is skipped: {line}", stacklevel=2)
        if checkpoint is None:
            raise CoviewError(f"{self.path} has no checkpoint", hint="train it with coview run … --resume")
        return topology.eval(), checkpoint

    @property
    def encoder(self) -> nn.Module:
        """The encoder of the first modality; the teacher's where the recipe says that it is evaluated."""
        return self.tower()

    def tower(self, modality: str | None = None, *, projector: bool = False) -> nn.Module:
        """The encoder of a modality: as :attr:`encoder`, or with its projector, whose projections are then pooled.

        Args:
            modality: Which; absent: the first.
            projector: Whether what comes out of the projector is wanted, where all modalities share a space.

        Raises:
            CoviewError: If the run has no such modality.
        """
        tower = tower_of(self.recipe, modality, projector=projector)
        return self.topology.evaluated(tower.modality, projector=tower.projector)

    def store(self, splits: Splits, *, console: Console) -> FeatureStore:
        """The run's features of some data."""
        device = choose_device(self.recipe)
        step = self.checkpoint.step if self.recipe.trains else 0
        return FeatureStore(self.recipe, self.registry, self.folder, self.topology, step, device, console, splits)


def load_run(path: Path | str, registry: Registry, *, step: int | Literal["best"] | None = None) -> Run:
    """As :func:`coview.load_run`."""
    folder = existing_folder(path)
    recipe = load_recipe(folder.recipe, registry)
    if step is not None and not recipe.trains:
        raise CoviewError(f"{folder.path} took no step, so it has no checkpoint of a step", hint="leave out the step")
    if step == "best":
        step = best_step(folder.checkpoints, recipe.train.keep_best)
    elif step is not None:
        check_kept(folder.checkpoints, step)
    return Run(folder.path, recipe, registry, step=step)


def run(
    recipe: Recipe,
    out: Path | str,
    *,
    registry: Registry,
    resume: bool = False,
    quiet: bool = False,
    shared: SharedWork | None = None,
) -> Run:
    """As :func:`coview.run`.

    Args:
        recipe, out, registry, resume, quiet: As there.
        shared: What other runs of its comparison need alike.
    """
    if recipe.sweep.grid or recipe.sweep.zip:
        raise CoviewError(
            f"{recipe.where('sweep')}: a recipe with a sweep describes several runs, and coview run runs a single one",
            hint="coview compare RECIPE runs them all; "
            "coview recipe show RECIPE --cell N --resolved > one.toml writes out the N-th",
        )
    folder = Session(recipe, expanded(out), resume, registry, run_console(quiet), shared).run()
    return Run(folder.path, recipe, registry, leads=PartialState().is_main_process)


def run_console(quiet: bool) -> Console:
    """Where a run shows its progress: standard error, or nowhere."""
    if quiet:
        return Console(quiet=True)
    return make_console(stderr=True)
