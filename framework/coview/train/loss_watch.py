"""The mean loss, and the first step at which it was not finite."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from coview.errors import CoviewError
from coview.train.checkpoint import last_good

_NEVER = 2**62


class LossWatch:
    """Keeps the mean loss, and the first step at which it was not finite, on the device until somebody asks.

    Asking waits for the device; asking at every step would keep a GPU idle.

    Args:
        device: Where the losses are.
    """

    def __init__(self, device: torch.device) -> None:
        self._sum = torch.zeros((), dtype=torch.float64 if device.type != "mps" else torch.float32, device=device)
        self._count = 0
        self._first_bad = torch.full((), _NEVER, dtype=torch.int64, device=device)

    def note(self, loss: Tensor, step: int) -> None:
        """Notes the loss of a step, without waiting for it."""
        detached = loss.detach()
        self._sum += detached
        self._count += 1
        bad = torch.where(torch.isfinite(detached), _NEVER, step)
        self._first_bad = torch.minimum(self._first_bad, bad)

    def check(self, step: int, checkpoints: Path) -> None:
        """Raises a :class:`CoviewError` if a loss was not finite up to this step.

        Args:
            step: Optimiser steps taken.
            checkpoints: Where they are: the message names the last.
        """
        first = int(self._first_bad)
        if first < _NEVER:
            raise CoviewError(
                f"the loss was not finite at step {first:,} (noticed after step {step:,}); {last_good(checkpoints)}",
                hint="try a lower learning rate, a longer warm-up, train.clip_norm=1.0, or train.precision=fp32",
            )

    def mean(self) -> float:
        """The mean since the last call; not a number if there was no loss."""
        mean = float(self._sum) / self._count if self._count else math.nan
        self._sum.zero_()
        self._count = 0
        return mean
