"""When a checkpoint is due: on all ranks after the same steps."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist

from coview.model.collectives import several_ranks
from coview.plugins.duration import Duration


class CheckpointDue:
    """When the next checkpoint is due. Where that is a matter of time, the first rank's clock counts for all.

    Args:
        every: The interval.
        steps_per_epoch: Optimiser steps in an epoch.
        log_every: Steps between two that log: at these several ranks look at the clock, and wait for each other anyway.
        device: That trains.
    """

    def __init__(
        self, every: Duration, steps_per_epoch: int, log_every: int = 1, device: torch.device | None = None
    ) -> None:
        self._seconds = every.amount if every.unit == "seconds" else None
        self._steps = None if every.unit == "seconds" else max(1, every.in_steps(steps_per_epoch))
        self._log_every = log_every
        self._device = device
        self._last = time.monotonic()

    def __call__(self, step: int) -> bool:
        """Whether one is due after this step."""
        if self._steps is not None:
            return step % self._steps == 0
        due = time.monotonic() - self._last >= (self._seconds or 0.0)
        if several_ranks():
            if step % self._log_every:
                return False
            said = torch.tensor(float(due), device=self._device)
            dist.broadcast(said, src=0)
            due = bool(said)
        if due:
            self._last = time.monotonic()
        return due
