"""Whether two values of whatever modality are the same, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from coview.data.structured_batch import StructuredBatch


def same(a: Any, b: Any) -> bool:
    """Compares arrays and tensors by type, shape and content (NaN equals NaN), and what holds them part by part."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if is_dataclass(a) and not isinstance(a, type):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and not isinstance(a, str | bytes):
        return len(a) == len(b) and all(map(same, a, b))
    if not isinstance(a, str | bytes | int | float | None) and isinstance(a, StructuredBatch):  # of words asked in vain
        return same(vars(a), vars(b))
    return bool(a == b)


def all_same(values: Iterable[Any]) -> bool:
    """Whether there is one value again and again. No more are asked for than it takes to know."""
    rest = iter(values)
    first = next(rest)
    return all(same(first, value) for value in rest)
