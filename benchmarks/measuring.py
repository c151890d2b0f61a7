"""What the benchmarks share: the clock and the memory of a device."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch


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
    resident = _resident_mib("VmRSS")
    run()
    return _resident_mib("VmHWM") - resident


def added_to_peak_apart(run: Callable[[], object], device: torch.device, arguments: Sequence[str]) -> float:
    """The same; on a CPU by this script with other arguments, which prints it, as nothing else has been done there."""
    if device.type == "cuda":
        return added_to_peak(run, device)
    command = [sys.executable, sys.argv[0], *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _resident_mib(what: str) -> float:
    """``VmRSS`` now or ``VmHWM``, the most since it was last reset. (ru_maxrss would start at the parent's.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))
