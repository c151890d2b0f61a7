"""Checks and draws that the augmentations share."""

from __future__ import annotations

import numpy as np

import coview


def check_range(name: str, values: tuple[float, float]) -> None:
    """Refuses a range whose ends are the wrong way round."""
    if values[0] > values[1]:
        raise ValueError(f"{name} has to be [smallest, largest], got [{values[0]:g}, {values[1]:g}]")


def happens(p: float, rng: coview.Rng) -> bool:
    """Whether something of probability p happens; nothing is drawn for what is certain."""
    return p >= 1 or rng.numpy.random() < p


def log_uniform(ends: tuple[float, float], rng: coview.Rng) -> float:
    """A number between two ends, its logarithm drawn evenly."""
    return float(np.exp(rng.numpy.uniform(*np.log(ends))))


def from_db(decibels: float) -> float:
    """The factor of an amplitude."""
    return float(10 ** (decibels / 20))
