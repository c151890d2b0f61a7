"""What the benchmarks share: the clock and the memory of a device."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

MAKES_ROOM = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view"}
"""Operations that compute nothing, and are no views by their signature either."""


class Operations(TorchDispatchMode):
    """Counts operations that compute something, and the bytes that they read and write.

    Attributes:
        count: How many.
        bytes: Of all tensors that they take and return; of one that repeats its elements, those that there are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        returns = function._schema.returns
        is_view = any(of.alias_info is not None and not of.alias_info.is_write for of in returns)
        if not is_view and function._schema.name.removeprefix("aten::") not in MAKES_ROOM:
            self.count += 1
            self.bytes += sum(_bytes_of(item) for item in tree_iter((arguments, options, result)))
        return result


def _bytes_of(item: object) -> int:
    if not isinstance(item, Tensor):
        return 0
    sizes = [size for size, stride in zip(item.shape, item.stride(), strict=True) if stride]
    return math.prod(sizes) * item.element_size()


def now(device: torch.device) -> float:
    """Seconds, after everything that was started on the device has ended."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def where(device: torch.device) -> str:
    """The device in words, for the head of a table."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{name}, torch {torch.__version__}"


def added_to_peak(run: Callable[[], object], device: torch.device) -> float:
    """MiB that a call needs at most, beyond what is there before it; on a CPU that of the process (Linux only)."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    resident = resident_mib("VmRSS")
    run()
    return resident_mib("VmHWM") - resident


def added_to_peak_apart(run: Callable[[], object], device: torch.device, arguments: Sequence[str]) -> float:
    """The same; on a CPU by this script with other arguments, which prints it, as nothing else has been done there."""
    if device.type == "cuda":
        return added_to_peak(run, device)
    command = [sys.executable, sys.argv[0], *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def resident_mib(what: str) -> float:
    """``VmRSS`` now or ``VmHWM``, the most since it was last reset. (ru_maxrss would start at the parent's.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))
