"""The learning rate as a pure function of the optimiser step, so that it survives a resume and accumulation."""

from __future__ import annotations

import math
from typing import Literal


def lr_factor(step: int, total: int, warmup: int, schedule: Literal["cosine", "constant"]) -> float:
    """The share of the peak learning rate for a step.

    Args:
        step: Counted from 0, before ``total``.
        total: Steps in the whole run.
        warmup: Steps over which the rate rises linearly; the first of them already learns.
        schedule: What follows: ``cosine`` falls to 0 at ``total`` (arXiv:1608.03983, eq. 5, without restarts).
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
