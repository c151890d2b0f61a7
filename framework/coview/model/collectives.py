"""What the processes that train together tell each other, with gradient."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_FOR_EVER = timedelta(days=365)


def several_ranks() -> bool:
    """Whether this process is one of several."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def host_group(timeout: timedelta | None = None) -> Any:
    """A group in which ranks tell each other what they know without their GPUs, which need not be waited for then; None
    for a single process. Each of them calls this, at the same place.

    Args:
        timeout: How long one waits for the others; absent: as long as PyTorch has them wait.
    """
    return dist.new_group(backend="gloo", timeout=timeout) if several_ranks() else None


def waiting_group() -> Any:
    """A group in which ranks wait for the main process, however long it takes: see :func:`host_group`.

    A measurement may take longer than a collective of training may, and no card has to turn meanwhile.
    """
    return host_group(_FOR_EVER)


def row_counts(own: int, device: torch.device) -> list[int]:
    """How many rows each rank owns."""
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, torch.tensor([own], device=device))
    return [int(count) for count in torch.cat(counts).tolist()]


def gather_rows(rows_N: Tensor, counts: list[int]) -> Tensor:
    """Concatenates the ranks' rows, of which each has its own number; gradients flow back to their owners."""
    padding = max(counts) - rows_N.shape[0]
    padded = torch.cat([rows_N, rows_N.new_zeros((padding, *rows_N.shape[1:]))]).contiguous()
    parts: Any = _AllGather.apply(padded) if rows_N.requires_grad else _all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def _all_gather(tensor: Tensor) -> tuple[Tensor, ...]:
    parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, tensor)
    return tuple(parts)


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The sum; the gradient of each rank's part is the sum of what all ranks send back."""
    summed: Tensor = _AllReduce.apply(tensor)
    return summed


def largest_over_ranks(tensor: Tensor) -> Tensor:
    """The largest of each number, without gradient."""
    largest = tensor.detach().clone()
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return largest


class _AllReduce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        summed = tensor.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        summed = gradient.contiguous().clone()
        dist.all_reduce(summed)
        return summed


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
