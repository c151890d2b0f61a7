"""This machine's CPU as a card, measured by a product of matrices and by a copy."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import torch

from coview.data.cores import available_cores
from coview.data.threads import limit_threads
from coview.experiment.estimate.cards import HERE, Card
from coview.train.device import cpu_has_bf16

_SIDE = 1024
_COPIED = 2**26
_SECONDS = 0.5


def this_cpu() -> Card:
    """What the CPU does at its best, with the threads that training has."""
    limit_threads()
    threads = torch.get_num_threads()
    flops = {"fp32": _flops(torch.float32)}
    if cpu_has_bf16():
        flops["bf16"] = _flops(torch.bfloat16)
    source, target = torch.ones(_COPIED // 4), torch.empty(_COPIED // 4)
    # read, and written
    bandwidth = 2 * _COPIED / _fastest(lambda: target.copy_(source))
    cores = f"{threads} thread{'s' if threads > 1 else ''} of {available_cores()} cores"
    memory = float(psutil.virtual_memory().available)
    return Card(HERE, flops, memory, bandwidth, bandwidth, f"this machine's CPU, {cores}, measured now")


def _flops(dtype: torch.dtype) -> float:
    a, b = (torch.ones(_SIDE, _SIDE, dtype=dtype) for _ in range(2))
    return 2 * _SIDE**3 / _fastest(lambda: a @ b)


def _fastest(compute: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls: other work on a machine only adds time."""
    compute()
    found: list[float] = []
    while sum(found) < _SECONDS:
        started = time.perf_counter()
        compute()
        found.append(time.perf_counter() - started)
    return min(found)
