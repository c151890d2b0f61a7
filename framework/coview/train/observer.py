"""Who is told of a training while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coview.train.ending import Ended


@dataclass(frozen=True)
class Observer:
    """What the loop tells while it goes on; called on rank 0.

    Attributes:
        step: After each optimiser step with (step, epoch, metrics); metrics are empty at steps that log nothing.
        epoch: After the last step of an epoch with (step, epoch).
        say: With a sentence about what the training does.
        skipped: With the name and the reason of a sample that cannot be read.
        gradients: Before the optimiser takes a step, with (step, epoch, whether the step logs); absent: nobody asks.
        ended: Who has asked for the end of the training; None as long as nobody has.
        state: What checkpoints keep for who observes, as a text.
    """

    step: Callable[[int, int, Mapping[str, float]], None] = lambda step, epoch, metrics: None
    epoch: Callable[[int, int], None] = lambda step, epoch: None
    say: Callable[[str], None] = lambda text: None
    skipped: Callable[[str, str], None] = lambda what, reason: None
    gradients: Callable[[int, int, bool], None] | None = None
    ended: Callable[[], Ended | None] = lambda: None
    state: Callable[[], str] = str
