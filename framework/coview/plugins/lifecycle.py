"""What the lifecycle hooks are given: one typed context each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from coview.evaluate.result import Result


Status = Literal["done", "stopped", "interrupted", "failed"]
"""How a run has ended: ``stopped`` by a callback is finished, before its last step."""


@dataclass(frozen=True)
class RunStart:
    """A run is about to train.

    Attributes:
        path: The run's folder.
        recipe: The resolved recipe's tables.
        total_steps: Optimiser steps in the whole run.
        resumed_at: The step it goes on from; 0 for a new run.
    """

    path: Path
    recipe: Mapping[str, Any]
    total_steps: int
    resumed_at: int


@dataclass(frozen=True)
class StepEnd:
    """An optimiser step was taken.

    Attributes:
        step: Counted from 1.
        epoch: Counted from 0.
        metrics: What was logged at this step; empty at steps that log nothing.
    """

    step: int
    epoch: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class EpochEnd:
    """The last step of an epoch was taken."""

    step: int
    epoch: int


@dataclass(frozen=True)
class CurvePoint:
    """What has ``every`` in ``[[evaluate]]`` was measured on validation while the run trains.

    Attributes:
        step: Optimiser steps taken; 0 before the first.
        epoch: Counted from 0.
        metrics: By ``EVALUATOR/METRIC``, such as ``knn/accuracy``: of the evaluators that were due.
    """

    step: int
    epoch: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Evaluated:
    """One evaluator has finished on one kind of features.

    Attributes:
        path: The run's folder.
        results: What it found.
        step: Of the checkpoint, where an earlier one than the last was asked for; None: these are the run's results.
    """

    path: Path
    results: Sequence[Result]
    step: int | None = None


@dataclass(frozen=True)
class RunEnd:
    """A run has ended, whichever way."""

    path: Path
    status: Status
