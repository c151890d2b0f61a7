"""One batch from all ranks, with gradient: why a loss can be written for one device.

Every rank computes its loss on the gathered batch; the backward pass of the gather adds up what the ranks send back,
and data-parallel averaging divides by their number. The gradient is then that of one process with the whole batch,
whatever the loss.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from coview.data.batch import Batch
from coview.model.views import Views


def views_of_all_ranks(z_VND: Tensor, batch: Batch, modalities: tuple[str, ...]) -> Views:
    """What the loss sees.

    Args:
        z_VND: This rank's projections.
        batch: This rank's batch. Ranks may own different numbers of rows: a sample can be unreadable.
        modalities: Of each view.
    """
    own = len(batch)
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return Views(z_VND, z_VND, modalities, batch.ids, slice(0, own), labels=batch.labels)
    rows = _row_counts(own, z_VND.device)
    first = sum(rows[: dist.get_rank()])
    z_VND = _gather(z_VND.transpose(0, 1), rows).transpose(0, 1)
    return Views(
        student=z_VND,
        teacher=z_VND,
        modalities=modalities,
        ids=_gather(batch.ids, rows),
        anchors=slice(first, first + own),
        labels=None if batch.labels is None else _gather(batch.labels, rows),
    )


def _row_counts(own: int, device: torch.device) -> list[int]:
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, torch.tensor([own], device=device))
    return [int(count) for count in torch.cat(counts).tolist()]


def _gather(rows_N: Tensor, counts: list[int]) -> Tensor:
    """Concatenates the ranks' rows, of which each has its own number; gradients flow back to their owners."""
    padding = max(counts) - rows_N.shape[0]
    padded = torch.cat([rows_N, rows_N.new_zeros((padding, *rows_N.shape[1:]))]).contiguous()
    parts: Any = _AllGather.apply(padded) if rows_N.requires_grad else _all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def _all_gather(tensor: Tensor) -> tuple[Tensor, ...]:
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor)
    return tuple(parts)


class _AllGather(torch.autograd.Function):
    """All-gather whose backward pass is the sum over ranks of the gradients of this rank's part."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> tuple[Tensor, ...]:
        return _all_gather(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        summed = torch.stack([gradient.contiguous() for gradient in gradients])
        dist.all_reduce(summed)
        return summed[dist.get_rank()]
