"""How threads on a CPU wait for each other: said before PyTorch is imported, whose OpenMP library reads it once."""

from __future__ import annotations

import os

_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def wait_asleep() -> None:
    """Has threads sleep while they wait, unless the user has said how they wait.

    By default they keep their cores busy for milliseconds. Where another process has one of the cores, all others then
    wait like this for the thread that is not computing, in every part of every step.
    """
    if not any(os.environ.get(name) for name in _SETTINGS):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
