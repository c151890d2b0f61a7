"""What becomes of memory that this process has freed."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Options of glibc's ``mallopt``."""


def keep_freed_memory() -> None:
    """Has this process keep up to 1 GiB of the memory that it is done with, for the next batch.

    glibc gives it back to the kernel when a batch is freed, and then asks for it again page by page. How much it gives
    back depends on the largest piece that the process has freed so far, and so on which files it has read. Where the C
    library is another one, nothing is changed.
    """
    if os.name != "posix":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # the C library is another one than glibc
        return
    mallopt(_TRIM_THRESHOLD, 2**30)
    mallopt(_MMAP_THRESHOLD, 2**25)
