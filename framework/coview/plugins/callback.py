"""The contract of callbacks, which plugins implement: what a recipe has told of a run, and what may end one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from coview.plugins.lifecycle import Status

if TYPE_CHECKING:
    from torch import nn

    from coview.evaluate.result import Result


@dataclass(frozen=True)
class CallbackContext:
    """What every method of a callback is given.

    Attributes:
        path: The run's folder.
        total_steps: Optimiser steps in the whole run.
        step: Optimiser steps taken; before a step that step, counted from 1.
        get_model: Returns the model, and has it watched.
    """

    path: Path
    total_steps: int
    step: int
    get_model: Callable[[], nn.Module] = field(repr=False)

    @property
    def model(self) -> nn.Module:
        """The towers that are trained, to be read only.

        What is written into a parameter, a buffer or a gradient ends the run; a mode that is changed is put back, and
        the callback has failed.
        """
        return self.get_model()


@dataclass(frozen=True)
class RunContext(CallbackContext):
    """A run is about to train; ``step`` is the one that it goes on from, 0 for a new run.

    Attributes:
        recipe: The resolved recipe's tables.
    """

    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class StepContext(CallbackContext):
    """In the middle of a run.

    Attributes:
        epoch: Counted from 0.
        metrics: What was logged of the step, or measured in it; empty where nothing was.
        ask_to_stop: Has the run end after this step.
    """

    epoch: int
    metrics: Mapping[str, float]
    ask_to_stop: Callable[[str], None] = field(repr=False)

    def stop(self, reason: str) -> None:
        """Has the run end after this step: with a checkpoint, and evaluated as if it had gone to its last step.

        Args:
            reason: Why, for the report.

        Raises:
            CoviewError: If the callback does not say that it changes the run.
        """
        self.ask_to_stop(reason)


@dataclass(frozen=True)
class EndContext(CallbackContext):
    """A run has ended, whichever way.

    Attributes:
        status: How.
        stopped: Who has stopped it and why; empty if nobody has.
        results: What was measured of it, controls included.
    """

    status: Status
    stopped: str
    results: Sequence[Result]


class Callback:
    """What stands in a ``[[callback]]``. It implements the methods that it has a use for; all are called on rank 0.

    One that only tells may fail: that is said once, it is not called again, and the run goes on. One that changes the
    run ends it when it fails, with a checkpoint.

    Attributes:
        changes_run: Whether the run is another with it: it is in the recipe's hash then, and may stop the run.
        every_step: Whether it is told of every step, and not only of those that log.
    """

    changes_run: ClassVar[bool] = False
    every_step: ClassVar[bool] = False

    def check(self, recipe: Mapping[str, Any]) -> None:
        """Called once, before the run's folder is made and on every rank: what is missing is said here.

        Args:
            recipe: The resolved recipe's tables.

        Raises:
            CoviewError: If the run cannot be told of: nobody is logged in, nothing measures what is watched.
            ModuleNotFoundError: If a library is not installed; coview says which, and how it is.
        """

    def run_start(self, context: RunContext) -> None:
        """Called before the first step, or before the first after a resume."""

    def before_step(self, context: StepContext) -> None:
        """Called between the backward pass and the optimiser: the one moment at which gradients are what it takes.

        The ``grad`` of each parameter is that of the whole batch, over all ranks and accumulated parts, clipped if the
        recipe clips, and None for what is frozen. Later the optimiser may have written into it.
        """

    def step_end(self, context: StepContext) -> None:
        """Called after an optimiser step."""

    def epoch_end(self, context: StepContext) -> None:
        """Called after the last step of every epoch."""

    def curve_point(self, context: StepContext) -> None:
        """Called after each measurement on validation; ``metrics`` are by ``EVALUATOR/METRIC``."""

    def run_end(self, context: EndContext) -> None:
        """Called when the run has ended, whichever way."""

    def state_dict(self) -> dict[str, Any]:
        """What it has to remember over a resume, as JSON values: it is in every checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` of a checkpoint says; called before :meth:`run_start`."""
