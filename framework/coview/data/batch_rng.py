"""Randomness for a batch at once, on its device: each row a pure function of (seed, epoch, sample, view, position).

Rows draw from Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), computed in int64
tensor arithmetic, so that a CPU and a GPU draw the same bits. What a row draws depends neither on the other rows of
the batch nor on their order: not on the number of ranks, nor on where a run was resumed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from coview.data.rng import Rng

_STREAM_OF_BATCHES = 2**64 - 2
"""In place of a sample id, which is below 2**63, in the key of the generator that makes a view's key."""

_ROUNDS = 10
_LOW = 0xFFFF_FFFF
_MULTIPLIERS = 0xD251_1F53, 0xCD9E_8D57
_KEY_STEPS = 0x9E37_79B9, 0xBB67_AE85


class BatchRng:
    """The only source of randomness of an augmentation that works on batches.

    A call moves on to fresh numbers; the same calls in the same order draw the same.

    Attributes:
        ids: ``(rows,)`` int64, the sample of each row.
        views: ``(rows,)`` int64, the view that each row is of.

    Args:
        seed: The run's seed.
        epoch: Counted from 0.
        ids_N: The samples of the batch, int64, on its device.
        views: The views that lie below each other in the batch, by number: ``len(views) · N`` rows.
        position: Of the step in its pipeline.
    """

    def __init__(self, seed: int, epoch: int, ids_N: Tensor, views: Sequence[int], position: int) -> None:
        self.ids = ids_N.repeat(len(views))
        self.views = torch.tensor(views, device=ids_N.device).repeat_interleave(len(ids_N))
        keys = [Rng(seed, epoch, _STREAM_OF_BATCHES, view, position).numpy.bit_generator.random_raw() for view in views]
        words_V2 = torch.tensor([[key & _LOW, key >> 32] for key in keys], dtype=torch.int64, device=ids_N.device)
        self._key_R2 = words_V2.view(-1, 2).repeat_interleave(len(ids_N), dim=0)
        self._block = 0

    @property
    def rows(self) -> int:
        """How many rows the batch has."""
        return len(self.ids)

    @property
    def device(self) -> torch.device:
        """The batch's."""
        return self.ids.device

    def uniform(self, k: int = 1, low: float = 0.0, high: float = 1.0) -> Tensor:
        """``(rows, k)`` numbers from ``low`` to ``high``, the latter excluded: float32, of 24 bits each."""
        return _unit(self._words(k)) * (high - low) + low

    def normal(self, k: int = 1) -> Tensor:
        """``(rows, k)`` standard normal numbers, float32 (Box and Muller's transform)."""
        pairs = -(-k // 2)
        first, second = _unit(self._words(2 * pairs)).split(pairs, dim=1)
        radius = torch.sqrt(-2 * torch.log(first + 2.0**-24))  # never the logarithm of zero
        angle = 2 * torch.pi * second
        return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :k]

    def chance(self, p: float) -> Tensor:
        """``(rows,)`` bool, true with probability ``p``."""
        return self.uniform()[:, 0] < p

    def _words(self, k: int) -> Tensor:
        """``(rows, k)`` int64 with 32 random bits each."""
        blocks = -(-k // 4)
        block_B = torch.arange(self._block, self._block + blocks, device=self.device)
        self._block += blocks
        low_R1, high_R1 = (self.ids & _LOW)[:, None], (self.ids >> 32)[:, None]
        words = philox(
            (block_B.expand(self.rows, blocks), torch.zeros_like(low_R1), low_R1, high_R1),
            (self._key_R2[:, :1], self._key_R2[:, 1:]),
        )
        return torch.stack(words, dim=-1).flatten(1)[:, :k]


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Four random words for each counter. All words are int64 with values below 2**32; shapes broadcast."""
    a, b, c, d = counter
    k, m = key
    for _ in range(_ROUNDS):
        # a product of two words wraps around as int64, but its bits are right
        x, y = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (y >> 32 & _LOW) ^ b ^ k, y & _LOW, (x >> 32 & _LOW) ^ d ^ m, x & _LOW
        k, m = (k + _KEY_STEPS[0]) & _LOW, (m + _KEY_STEPS[1]) & _LOW
    return a, b, c, d


def _unit(words: Tensor) -> Tensor:
    """From 0 to 1, the latter excluded: the upper 24 bits, all that a float32 holds."""
    return (words >> 8).to(torch.float32) * 2.0**-24
