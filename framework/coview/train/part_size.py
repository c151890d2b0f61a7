"""How many samples a process encodes at a time where the recipe leaves it to coview (``train.grad_cache = "auto"``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from coview.model.collectives import largest_over_ranks, several_ranks
from coview.recipe.tables import TrainTable

ON_A_CPU = 64
"""A CPU gains nothing by more: its caches hold less than that."""

FEWEST = 4
"""However many samples there are, no part of them is then a single one, which has no variance for batch norm."""

_TRIED = 32
"""Samples of the larger of two trials, from whose memory that of more is extrapolated."""

_SHARE = 0.8
"""Of what is free on a card: later batches may be longer, and memory is lost between its pieces."""

_BYTES_OF_A_PAIR = 16
"""Of two rows of the whole batch, in a loss that compares all with all, forward and backward."""


def rows_at_a_time(train: TrainTable) -> int | None:
    """The samples that a process encodes at a time, as far as a recipe says so; None: all.

    Where coview finds them, those of a CPU: any number gives the same.
    """
    return ON_A_CPU if train.grad_cache == "auto" else train.grad_cache


class PartSize:
    """The samples that a process encodes at a time in a run.

    Args:
        train: The recipe's.
        device: Where it computes.

    Attributes:
        rows: How many; None for all, or where it is not yet known.
        is_open: Whether it has to be found by the first batch.
    """

    def __init__(self, train: TrainTable, device: torch.device) -> None:
        self.is_open = train.grad_cache == "auto" and device.type == "cuda"
        self.rows = None if self.is_open else rows_at_a_time(train)

    def resume(self, rows: int | None) -> None:
        """Takes what a checkpoint has, so that a run goes on as it was; what the recipe says stays."""
        if self.is_open and rows is not None:
            self.note(rows)

    def note(self, rows: int) -> str:
        """Takes what was found, and says it."""
        self.rows, self.is_open = rows, False
        return f'train.grad_cache = "auto": {rows:,} samples at a time'


def later_state(trained: nn.Module, optimizer: torch.optim.Optimizer | None, copies: float) -> float:
    """Bytes that an optimiser will keep, and does not yet.

    Args:
        trained: What it trains.
        optimizer: The optimiser; None where nothing is trained.
        copies: How many numbers it keeps of each weight.
    """
    weights = sum(p.numel() * p.element_size() for p in trained.parameters() if p.requires_grad)
    kept = [] if optimizer is None else [value for state in optimizer.state.values() for value in state.values()]
    there = sum(value.nbytes for value in kept if isinstance(value, torch.Tensor))
    return max(0.0, weights * copies - there)


def largest_part(peak_of: Mapping[int, int], room: float, samples: int, rows_of_loss: int) -> int:
    """The most samples whose memory fits, by a straight line through what some need.

    Args:
        peak_of: By a number of samples, of which there are two, the bytes that they need.
        room: Bytes that there are.
        samples: Of a process: no part is larger.
        rows_of_loss: Rows of the whole batch, which the loss compares while one part that is all of it is kept.
    """
    (fewer, less), (more, most) = sorted(peak_of.items())
    slope = max(0.0, (most - less) / (more - fewer))
    base = max(0.0, most - slope * more)
    if base + slope * samples + _BYTES_OF_A_PAIR * rows_of_loss**2 <= room:
        return samples
    fitting = int((room - base) / slope) if slope else samples
    at_most = max(FEWEST, -(-samples // 2))  # two parts are the next best
    return max(FEWEST, min(fitting, at_most))


def part_that_fits(
    encode: Callable[[int], None], samples: int, rows_of_loss: int, reserve: float, device: torch.device
) -> int:
    """The largest part that a card has memory for, the same on all ranks: that of the one that has least.

    Args:
        encode: Takes the first so many samples of a batch there and back.
        samples: Of a process.
        rows_of_loss: As of :func:`largest_part`.
        reserve: Bytes that are needed later, and not yet taken.
        device: A GPU.
    """
    tried = min(_TRIED, samples)
    found = samples
    if tried > 1:
        encode(tried)  # what a library makes at its first call stays
        peak_of = {count: _peak(encode, count, device) for count in (tried // 2, tried)}
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        room = _SHARE * (torch.cuda.mem_get_info(device)[0] + unused) - reserve
        found = largest_part(peak_of, room, samples, rows_of_loss)
    if not several_ranks():
        return found
    return -int(largest_over_ranks(torch.tensor(-found, device=device)))


def _peak(encode: Callable[[int], None], count: int, device: torch.device) -> int:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    encode(count)
    return torch.cuda.max_memory_allocated(device) - before
