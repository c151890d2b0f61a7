"""Lengths of time and of training: ``500``, ``"500 steps"``, ``"10 epochs"``, ``"10m"``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_TRAINING = r"(\d{1,12}) ?steps?|(\d{1,12}(?:\.\d{1,12})?) ?epochs?"

MOST_STEPS = 10**12
"""More than any machine takes, and few enough for every product of lengths to be a number that machines have."""

TrainingLength = Annotated[int, Field(ge=0, le=MOST_STEPS)] | Annotated[str, Field(pattern=f"^(?:{_TRAINING})$")]
"""Steps, or a string of steps or epochs."""

Interval = (
    Annotated[int, Field(ge=1, le=MOST_STEPS)]
    | Annotated[str, Field(pattern=rf"^(?:{_TRAINING}|(\d{{1,12}}(?:\.\d{{1,12}})?) ?[smh])$")]
)
"""Steps, or a string of steps, epochs or time."""

CurveInterval = Annotated[int, Field(ge=1, le=MOST_STEPS)] | Annotated[str, Field(pattern=f"^(?:{_TRAINING})$")]
"""Steps, or a string of steps or epochs, which has to be more than nothing: not of time, which no two runs divide
alike."""


@dataclass(frozen=True)
class Duration:
    """An amount of steps, epochs or seconds."""

    amount: float
    unit: Literal["steps", "epochs", "seconds"]

    @classmethod
    def parse(cls, text: int | str) -> Duration:
        """Reads what :data:`Interval` admits."""
        if isinstance(text, int):
            return cls(text, "steps")
        number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", text).groups()  # type: ignore[union-attr]
        if unit in _SECONDS:
            return cls(float(number) * _SECONDS[unit], "seconds")
        return cls(float(number), "steps" if unit.startswith("step") else "epochs")

    def in_steps(self, steps_per_epoch: int) -> int:
        """The amount in optimiser steps; not for seconds."""
        assert self.unit != "seconds"
        return round(self.amount * (steps_per_epoch if self.unit == "epochs" else 1))
