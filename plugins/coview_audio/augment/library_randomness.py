"""A library that draws from the global generators of Python and NumPy, made to draw from an Rng."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.random import MT19937

import coview

_BITS = MT19937(0)
"""Seeded for every call; for the numbers of NumPy's old interface it is faster than the Rng's own Philox."""


class _Draws:
    """Stands for the module ``random`` in a package's modules, and is that module but within :func:`drawing_from`.

    To exchange what it stands for touches one object; to exchange ``random`` in thirty modules touches memory that a
    filter over a sound has long driven from the cache.
    """

    __slots__ = ("source",)

    def __init__(self) -> None:
        self.source: Any = random

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


_DRAWS = _Draws()


@contextmanager
def drawing_from(rng: coview.Rng, package: str) -> Iterator[None]:
    """Within it the package's ``random`` is the Rng's, and ``numpy.random`` is seeded by it.

    That costs microseconds, where to save, seed and restore both global generators costs a hundred. The package's
    modules have to say ``import random``, as audiomentations' do. A second normal number that ``numpy.random.randn``
    may have kept for its next call is lost.

    Args:
        rng: What is drawn from.
        package: Imported, with all its modules.
    """
    _stand_in(package)
    numpy_random: Any = np.random  # its types lack both functions
    numpy_bits = numpy_random.get_bit_generator()
    _DRAWS.source = rng.python
    numpy_random.set_bit_generator(_BITS)
    try:
        np.random.seed(rng.seed32())
        yield
    finally:
        numpy_random.set_bit_generator(numpy_bits)
        _DRAWS.source = random


@cache
def _stand_in(package: str) -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package and getattr(module, "random", None) is random:
            module.random = _DRAWS  # type: ignore[attr-defined]
