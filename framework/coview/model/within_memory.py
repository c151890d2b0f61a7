"""A model that does not fit into memory is refused before it is allocated.

Linux hands out memory that it does not have, and ends the process when it is written to: without a message, and with
whatever else runs there. So each tensor that modules ask for is made without memory first, and its size is compared:
that of large ones at once, that of small ones when they have come to as much.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.overrides import TorchFunctionMode

from coview.errors import CoviewError

ANY_MACHINE_HAS = 2**26
"""Bytes that memory is not looked at for: looking takes time."""
_MAKERS = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye, torch.arange}
    | {torch.empty_strided, torch.empty_like, torch.zeros_like, torch.ones_like}
)
_HINT = "make a width or a depth smaller, of the encoder, the projector or the predictor"


class WithinMemory(TorchFunctionMode):
    """Within it, no tensor is made on the CPU that is larger than the memory that is free, nor many small ones.

    Raises:
        CoviewError: When one is asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._not_looked_at = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Called by PyTorch in place of its functions."""
        kwargs = dict(kwargs or {})
        if func in _MAKERS and "out" not in kwargs and torch.empty(0, device=kwargs.get("device")).device.type == "cpu":
            self._not_looked_at += _size_of(func, args, kwargs)
            if self._not_looked_at >= ANY_MACHINE_HAS:
                _check(self._not_looked_at)
                self._not_looked_at = 0
        return func(*args, **kwargs)


def _check(size: int) -> None:
    if size > (free := free_memory()):
        raise CoviewError(f"the model needs {gigabytes(size)} of memory, and {gigabytes(free)} are free", hint=_HINT)


def gigabytes(size: int) -> str:
    """A number of bytes, for a message."""
    return f"{size / 1e9:,.1f} GB"


def free_memory() -> int:
    """Bytes that this process can still have: the machine's with its swap, or what a group or ``ulimit`` leaves."""
    found = [psutil.virtual_memory().available + psutil.swap_memory().free, _left_to_group(), _left_to_process()]
    return int(max(0, min(found)))


def _left_to_group() -> float:
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # what is kept of files is given up when it is needed
        used = int((group / "memory.current").read_text()) - int(statistics["inactive_file"])
    except (OSError, ValueError, KeyError):
        return math.inf
    return math.inf if limit == "max" else int(limit) - used


def _left_to_process() -> float:
    if sys.platform == "win32":
        return math.inf
    import resource  # not on Windows

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if limit == resource.RLIM_INFINITY else limit - psutil.Process().memory_info().vms


def _size_of(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """In bytes; 0 for what PyTorch refuses on other grounds than its size, which it will do again."""
    without = {name: value for name, value in kwargs.items() if name not in ("generator", "pin_memory")}
    try:
        return int(func(*args, **{**without, "device": "meta"}).nbytes)
    except (RuntimeError, OverflowError, TypeError) as error:
        if "overflow" not in str(error).lower():
            return 0
        raise CoviewError(f"the model needs a tensor that no machine can hold: {error}", hint=_HINT) from error
