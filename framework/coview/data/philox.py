"""Philox4x32-10, the counter-based generator of Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3").

Computed in int64 tensor arithmetic, so that a CPU and a GPU draw the same bits, and in few operations: what they cost
on a batch's few numbers is to be started.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

LOW = 0xFFFF_FFFF
"""The lower 32 bits."""

_ROUNDS = 10
_MULTIPLIERS = 0xD251_1F53, 0xCD9E_8D57
_KEY_STEPS = 0x9E37_79B9, 0xBB67_AE85


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> Tensor:
    """Four random words for each counter, in a last dimension of their own.

    All words are int64 with values from 0 up to, but without, 2**32; counters and keys broadcast.
    """
    a, b, c, d, k, m = torch.broadcast_tensors(*counter, *key)
    even, odd = torch.stack([a, c]), torch.stack([b, d])
    multiplier_2, step_T2 = _constants(a.device)
    ones = [1] * a.ndim
    multiplier = multiplier_2.view(2, *ones)
    key_of_round = (torch.stack([k, m]) + step_T2.view(_ROUNDS, 2, *ones)).bitwise_and_(LOW)
    for key_2 in key_of_round:
        product = even * multiplier  # wraps around as int64, but its bits are right
        # both products change places; what is above the lower bits of the odd words is cut off with the even ones'
        even = (product >> 32).flip(0).bitwise_xor_(odd).bitwise_xor_(key_2).bitwise_and_(LOW)
        odd = product.flip(0)
    (a, c), (b, d) = even, odd.bitwise_and_(LOW)
    return torch.stack([a, b, c, d], dim=-1)


@lru_cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """The multipliers, and what the rounds add to a key: kept, since bringing them to a GPU makes it wait."""
    steps = [[step * number for step in _KEY_STEPS] for number in range(_ROUNDS)]
    return torch.tensor(_MULTIPLIERS, device=device), torch.tensor(steps, device=device)
