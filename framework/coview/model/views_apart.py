"""Views that lie below each other in a batch, one by one: for networks that are to see one view at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from coview.data.batch import map_tensors
from coview.model.context import InContext
from coview.model.token_task import Part


def views_apart(part: Part, views: int) -> list[Part]:
    """A part of each view, in their order.

    Args:
        part: Of several views, view by view.
        views: How many.
    """
    if views == 1:
        return [part]
    batches = part.batch.views_apart(views) if isinstance(part.batch, InContext) else _apart(part.batch, views)
    masks = [None] * views if part.mask is None else _apart(part.mask, views)
    return [Part(batch, mask) for batch, mask in zip(batches, masks, strict=True)]


def _apart(value: Any, views: int) -> list[Any]:
    def view(number: int) -> Any:
        def rows(tensor: Tensor) -> Tensor:
            return tensor.chunk(views)[number]

        return map_tensors(rows, value, lambda batch: batch.select(rows(torch.arange(len(batch)))))

    return [view(number) for number in range(views)]
