"""fp32 that is fp32, on a GPU too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """cuDNN rounds what it convolves to the ten bits of TF32 unless it is told not to; so it is told, meanwhile."""
    before = _allows_tf32()
    if not before:
        yield
        return
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _allows_tf32() -> bool:
    try:
        return torch.backends.cudnn.allow_tf32
    except RuntimeError:  # somebody has set operators apart, of which this switch knows nothing: theirs holds
        return False
