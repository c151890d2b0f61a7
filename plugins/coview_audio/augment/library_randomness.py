"""Libraries that draw from the global generators of Python and NumPy, made to draw from an Rng."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

from numpy.random.mtrand import get_bit_generator, set_bit_generator

import coview


@contextmanager
def drawing_from(rng: coview.Rng) -> Iterator[None]:
    """Within it ``random`` and ``numpy.random`` are at the start of a stream of the Rng's; after it, where they were.

    NumPy's global functions get the Rng's own bit generator for a while, which costs half a microsecond where saving
    and seeding the Mersenne twister costs 80. A second normal number that ``numpy.random.randn`` had kept is lost by
    that, which needs a caller that mixes the two; ``random`` has no such door and is seeded.
    """
    numpy_bits = get_bit_generator()
    python_state = random.getstate()
    random.seed(rng.seed32())
    set_bit_generator(rng.numpy.bit_generator)
    try:
        yield
    finally:
        set_bit_generator(numpy_bits)
        random.setstate(python_state)
