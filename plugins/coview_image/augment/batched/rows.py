"""What the batched augmentations share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

_CACHED = 2**18
"""Numbers of a picture's rows that a CPU works on at a time, so that they stay in its cache."""


def as_float(x_RCHW: Tensor) -> Tensor:
    """float32 from 0 to 1."""
    if x_RCHW.dtype == torch.uint8:
        return x_RCHW.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    return x_RCHW


def change_rows(change: Callable[..., Tensor], x: Tensor, *parameters: Tensor, drawn_R: Tensor | None = None) -> Tensor:
    """``change(x, *parameters)`` of the rows that were drawn, the others as they were.

    A GPU changes all and chooses afterwards, since asking which were drawn would make it wait. A CPU works on a few
    rows at a time.

    Args:
        change: Gives pictures of the same shape for each row, for itself.
        x: The pictures, with a first dimension R.
        *parameters: Likewise.
        drawn_R: Which rows; absent: all.
    """
    if x.device.type != "cpu":
        changed = change(x, *parameters)
        return changed if drawn_R is None else torch.where(drawn_R.view(-1, *[1] * (x.ndim - 1)), changed, x)
    if drawn_R is None:
        return torch.cat([change(x[rows], *(p[rows] for p in parameters)) for rows in _parts(x, len(x))])
    drawn = drawn_R.nonzero()[:, 0]
    found = x.clone()
    for part in _parts(x, len(drawn)):
        rows = drawn[part]
        found[rows] = change(x[rows], *(p[rows] for p in parameters))
    return found


def between(rows_RIH: Tensor, x_RCHW: Tensor, columns_RJW: Tensor) -> Tensor:
    """``rows @ x @ columnsᵀ`` for each channel: ``(R, C, I, J)``."""
    x_RCHJ: Tensor = (x_RCHW.flatten(1, 2) @ columns_RJW.mT).unflatten(1, x_RCHW.shape[1:3])
    return torch.matmul(rows_RIH[:, None], x_RCHJ)


def _parts(x: Tensor, rows: int) -> Iterator[slice]:
    size = max(1, _CACHED // x[0].numel())
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))
