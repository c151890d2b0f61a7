"""A library that draws from the global generators of Python and NumPy, made to draw from an Rng."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from numpy.random import MT19937
from numpy.random.mtrand import get_bit_generator, set_bit_generator

import coview

_BITS = MT19937(0)
"""Seeded for every call; for the numbers of NumPy's old interface it is faster than the Rng's own Philox."""


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
    modules = _modules_that_draw(package)
    numpy_bits = get_bit_generator()
    for module in modules:
        module.random = rng.python  # type: ignore[attr-defined]
    _BITS._legacy_seeding(rng.seed32())
    set_bit_generator(_BITS)
    try:
        yield
    finally:
        set_bit_generator(numpy_bits)
        for module in modules:
            module.random = random  # type: ignore[attr-defined]


@cache
def _modules_that_draw(package: str) -> tuple[ModuleType, ...]:
    loaded = [module for name, module in sys.modules.items() if name.partition(".")[0] == package]
    return tuple(module for module in loaded if getattr(module, "random", None) is random)
