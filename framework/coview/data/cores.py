"""How many processor cores this process may use."""

from __future__ import annotations


def available_cores() -> int:
    """Those that it may run on, and that the container or the batch job it is in may keep busy: joblib's count.

    ``LOKY_MAX_CPU_COUNT`` sets a lower number.
    """
    from joblib import cpu_count  # costs start-up time

    count: int = cpu_count()
    return count
