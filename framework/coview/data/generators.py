"""PyTorch's global generators, which initial weights, dropout and transforms of libraries draw from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch

_CPU = torch.device("cpu")


def seed_generators(seed: int, device: torch.device = _CPU) -> None:
    """Seeds the generator of the CPU, and that of a device besides it.

    ``torch.manual_seed`` seeds those of every kind of device. For a kind that the machine lacks it writes down who has
    called it, which takes half a millisecond: too long for each step, view or row.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device = _CPU) -> Iterator[Callable[[int], None]]:
    """What draws from PyTorch's global generators draws from ``seed`` inside the ``with`` block.

    For layers and transforms that take no generator. After the block the generators are as they were before it. ``as``
    gives a function that seeds them again inside the block, for one row after the other.

    Args:
        seed: From 0 to 2**63 - 1.
        device: Where it computes, if not on the CPU. Its generator is seeded too, and that of a CUDA device restored.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seed_generators(seed, device)
        yield partial(seed_generators, device=device)
