"""Fits that do not depend on each other, each on one thread and several at once.

Threads that share one small product wait for each other longer than they compute: two of them take 1.4 to 1.6 times as
long as one alone. Side by side they need not wait, and what is fitted does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

from coview.evaluating import computing_on

Found = TypeVar("Found")


def side_by_side(fits: Sequence[Callable[[], Found]]) -> list[Found]:
    """What each of them gives, in their order; on one thread each, and as many at once as PyTorch has threads.

    Args:
        fits: Small work on a CPU, which changes nothing that another reads.

    Raises:
        Exception: What the first of them that fails has raised.
    """
    at_once = min(torch.get_num_threads(), len(fits))
    with one_thread():
        if at_once < 2:
            return [fit() for fit in fits]
        # PyTorch counts the threads of each thread that calls it
        with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            return list(threads.map(lambda fit: fit(), fits))


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes on one thread, and so does SciPy."""
    with computing_on(1), one_thread_of_scipy():
        yield


@contextmanager
def one_thread_of_scipy() -> Iterator[None]:
    """SciPy's BLAS computes on one thread.

    It has threads of its own, which wait by spinning and keep PyTorch's from their cores: a small fit takes up to eight
    times as long with them.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded, which takes five milliseconds to find."""
    import scipy.linalg  # noqa: F401  its library is loaded by this, and looked for only once

    return ThreadpoolController()
