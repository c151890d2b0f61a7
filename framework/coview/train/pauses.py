"""Where training pauses for a measurement: at the same steps on every rank, which wait for the one that measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from coview.errors import CoviewError
from coview.model.collectives import several_ranks, waiting_group
from coview.train.checkpoint import Score, best_by

_FAILED = -1


class Pauses:
    """The pauses of one training.

    Args:
        due: Whether there is one after so many optimiser steps; 0 is before the first. The same on every rank.
        measure: What the main process does meanwhile, given step and epoch; it returns what a checkpoint of the step is
            worth, where that was measured.
        tell: What it does after that, given step and epoch.
        follow: What the other ranks do meanwhile, given the step.
    """

    def __init__(
        self,
        due: Callable[[int], bool] = lambda step: False,
        measure: Callable[[int, int], Score | None] = lambda step, epoch: None,
        tell: Callable[[int, int], None] = lambda step, epoch: None,
        follow: Callable[[int], None] = lambda step: None,
    ) -> None:
        self.due = due
        self._measure = measure
        self._tell = tell
        self._follow = follow
        self._score: Score | None = None
        self._scored_at = 0
        self._waiting: Any = None

    def gather(self) -> None:
        """Makes what ranks wait by; each of them calls it before training."""
        self._waiting = waiting_group()

    def __call__(self, step: int, epoch: int, checkpoints: Path) -> bool:
        """Has the main process measure while the others wait.

        Args:
            step: Optimiser steps taken.
            epoch: Of the last of them.
            checkpoints: Those of the training.

        Returns:
            Whether a checkpoint of the step would be better than all of these, so that there is to be one.

        Raises:
            CoviewError: On the ranks that wait, if the main process cannot go on: it says why.
        """
        if several_ranks() and dist.get_rank():
            self._follow(step)
            outcome = self._agreed(_FAILED)
            if outcome == _FAILED:
                raise CoviewError("the main process could not go on, and has said why")
            return bool(outcome)
        try:
            self._score, self._scored_at = self._measure(step, epoch), step
            self._tell(step, epoch)
        except BaseException:
            self._agreed(_FAILED)
            raise
        is_best = step > 0 and self._score is not None and _is_better(self._score, step, checkpoints)
        return bool(self._agreed(int(is_best)))

    def _agreed(self, outcome: int) -> int:
        """What the main process says, on every rank."""
        if self._waiting is None:
            return outcome
        agreed = torch.tensor([outcome])
        dist.broadcast(agreed, src=0, group=self._waiting)
        return int(agreed)

    def score(self, step: int) -> Score | None:
        """What a checkpoint of a step is worth, where that was measured in the last pause."""
        return self._score if self._scored_at == step else None


def _is_better(score: Score, step: int, checkpoints: Path) -> bool:
    best = best_by(checkpoints, score.metric, step)
    return best is None or best.score is None or score.rank < best.score.rank
