"""Randomness as a pure function of (seed, epoch, sample, view, position in the pipeline).

Every augmentation draws from a Philox4x64 counter-based generator (Salmon et al. 2011, "Parallel random numbers:
as easy as 1, 2, 3"). Its key is (run seed, sample id) and its counter starts at (0, position, view, epoch), so two
draws share a stream only if all five agree: no hashing, no collisions, no state to carry between workers, ranks or
resumed runs. Setting the counter costs about a microsecond where making a new generator costs eight. What is drawn once
for a batch has, in place of the sample, the batch's number in the epoch.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    import torch

_MASK = (1 << 64) - 1

_BATCHES = 1 << 63
"""The first of the keys that stand for batches: those of samples are below."""


class _PhiloxRandom(random.Random):
    """Python's ``random.Random`` drawing from a NumPy bit generator, so that seeding it costs nothing."""

    _raw: Any = None

    def __init__(self, bits: np.random.Philox) -> None:
        super().__init__(0)
        self._raw = bits.random_raw

    def random(self) -> float:
        return (int(self._raw()) >> 11) * 2.0**-53

    def getrandbits(self, k: int, /) -> int:
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        value = 0
        for _ in range((k + 63) // 64):
            value = value << 64 | int(self._raw())
        return value >> (-k % 64)

    def seed(self, a: Any = None, version: int = 2) -> None:
        if self._raw is not None:
            raise TypeError("an Rng is seeded by (seed, epoch, sample, view), and an augmentation must not reseed it")

    def getstate(self) -> Any:
        raise NotImplementedError("an Rng's state is its key; call Rng.seek instead")

    def setstate(self, state: Any) -> None:
        raise NotImplementedError("an Rng's state is its key; call Rng.seek instead")


class Rng:
    """The only source of randomness an augmentation or an evaluator may use.

    Attributes:
        numpy: A ``numpy.random.Generator``.
        python: A ``random.Random`` over the same stream.

    Args:
        seed: The run's seed.
        epoch, sample, view, position: Where in the run the draw happens; all non-negative.
        batch: The number of the sample's batch in the epoch; only :meth:`of_view` depends on it.
    """

    def __init__(
        self, seed: int = 0, epoch: int = 0, sample: int = 0, view: int = 0, position: int = 0, batch: int = 0
    ) -> None:
        self._bits = np.random.Philox(key=0)
        self.numpy = np.random.Generator(self._bits)
        self.python: random.Random = _PhiloxRandom(self._bits)
        self._torch: torch.Generator | None = None
        self._key = np.zeros(2, dtype=np.uint64)
        self._counter = np.zeros(4, dtype=np.uint64)
        self._state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": self._key},
            "buffer": np.zeros(4, dtype=np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        self._other: Rng | None = None
        self._other_is_here = False
        self.seek(seed, epoch, sample, view, position, batch)

    def seek(self, seed: int, epoch: int, sample: int, view: int, position: int = 0, batch: int = 0) -> Self:
        """Moves to the start of another stream, in place, and returns itself."""
        self._key[0] = seed & _MASK
        self._key[1] = sample & _MASK
        self._counter[3] = epoch
        self._counter[2] = view
        self._batch = batch
        return self.at(position)

    def at(self, position: int) -> Self:
        """Moves to the start of the stream of one step of the pipeline, in place, and returns itself."""
        self._counter[1] = position
        self._bits.state = self._state
        self.python.gauss_next = None  # type: ignore[attr-defined]  # the spare value that gauss keeps
        self._torch = None
        self._other_is_here = False
        return self

    def of_view(self) -> Rng:
        """The generator that all samples of the batch share in this view: of (seed, epoch, batch, view, position).

        For what has to be the same for a whole batch. The batch is its number in the epoch, which the order of the
        samples gives: the same for any number of workers and ranks, and after a resume. What is drawn here therefore
        changes with ``batch_size``, unlike a sample's own draws. Outside training (a preview, an evaluator) the batch
        is 0. Asked again, it is the same generator, and goes on.
        """
        if self._key[1] >= _BATCHES:
            return self
        if not self._other_is_here:
            self._other = self._other or Rng()
            seed, view, position, epoch = map(int, (self._key[0], self._counter[2], self._counter[1], self._counter[3]))
            self._other.seek(seed, epoch, _BATCHES + self._batch, view, position)
            self._other_is_here = True
        assert self._other is not None
        return self._other

    @property
    def torch(self) -> torch.Generator:
        """A CPU ``torch.Generator``, seeded from the stream when first asked for."""
        if self._torch is None:
            import torch  # most augmentations never ask for it

            self._torch = torch.Generator().manual_seed(self.seed32())
        return self._torch

    def seed32(self) -> int:
        """Draws a seed in [0, 2**32) for a library that takes nothing better."""
        return int(self._bits.random_raw()) >> 32
