"""How many processor cores this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Those that it may run on, where the system says so; else all."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows say nothing of it
        return os.cpu_count() or 1
