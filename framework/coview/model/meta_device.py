"""Models that are only looked at: ``coview recipe check --build`` makes them on the meta device, without numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from coview.errors import CoviewError

Tried = TypeVar("Tried")


def on_meta_device() -> bool:
    """Whether new tensors are made on the meta device: an encoder then needs no trained weights, and no download."""
    return torch.empty(0).device.type == "meta"


def tried_out(trial: Callable[[torch.device], Tried]) -> tuple[Tried, str]:
    """Tries a model on the meta device, and on the CPU if that fails: an error does not always say that numbers lack.

    A tensor on the meta device has a shape and no numbers. So a model that depends on them (``nonzero``, indexing by a
    mask, a tensor made by ``torch.from_numpy``) cannot be tried there.

    Args:
        trial: Builds a model on a device, and calls it.

    Returns:
        What the trial returns, and why it was on the CPU, in a line; empty if it was not.
    """
    try:
        return trial(torch.device("meta")), ""
    except Exception as error:
        if isinstance(error, CoviewError):
            raise
        why = next(iter(str(error).splitlines()), type(error).__name__)
    return trial(torch.device("cpu")), why
