"""Ending a training before its last step: whether to go on is asked after every step, and ranks have to agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.distributed as dist

from coview.model.collectives import several_ranks
from coview.recipe.recipe import CallbackTable


@dataclass(frozen=True)
class Ended:
    """A training that was ended before its last step, on purpose.

    Attributes:
        by: Who has asked for it.
        reason: Why.
        step: Optimiser steps taken.
    """

    by: str
    reason: str
    step: int

    def __str__(self) -> str:
        return f"stopped at step {self.step:,} by {self.by}: {self.reason}"


class Next(IntEnum):
    """What follows on a step; of several ranks the largest counts."""

    ANOTHER_STEP = 0
    END = 1
    INTERRUPT = 2


class Agreement:
    """What all ranks do next.

    Where nobody can end the run they agree at steps that log: who presses Ctrl-C can wait for that. A callback that can
    end it is heard as often as it is told of the run, so that several ranks end it at the step at which one would.

    Args:
        callbacks: Of the recipe.
        log_every: Steps between two that log.
        device: That trains.
    """

    def __init__(self, callbacks: Sequence[CallbackTable], log_every: int, device: torch.device) -> None:
        ending = [table for table in callbacks if table.changes_run]
        self._may_end = bool(ending)
        self._every_step = any(table.every_step for table in ending)
        self._log_every = log_every
        self._device = device

    def __call__(self, mine: Next, step: int, *, told: bool) -> Next:
        """What to do next.

        Args:
            mine: What this rank is asked for.
            step: Optimiser steps taken.
            told: Whether an epoch or a measurement has ended with this step, the same on every rank.
        """
        if not several_ranks():
            return mine
        if step % self._log_every and not (self._may_end and (told or self._every_step)):
            return Next.ANOTHER_STEP
        asked = torch.tensor(float(mine), device=self._device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return Next(int(asked))
