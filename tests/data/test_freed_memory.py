"""Freed memory is used again, and is not asked of the kernel page by page."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from coview.data.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def batch():
    for array in [np.ones(8 << 20, np.uint8) for _ in range(8)]:  # 64 MiB at once, 2,048 pages of 4 KiB each
        array.sum()

batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_the_next_batch_takes_the_pages_of_the_last():
    def faults(how):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True, timeout=60
        )
        return int(done.stdout)

    assert faults("kept") * 10 < faults("given back")
