"""Batches of samples of like length: what a longer one pads is computed for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coview.data.modality import Collates

_PART = 32


@dataclass(frozen=True)
class ByLength:
    """Collates values in parts, from the shortest to the longest.

    Attributes:
        collates: Makes a batch of a part.
        length: Of a value, on any scale.
    """

    collates: Collates
    length: Callable[[Any], float]

    def collate(self, values: Sequence[Any], /) -> dict[str, Any]:
        """``order_N``, which values the rows of the parts are of, and each part under its number."""
        lengths = [self.length(value) for value in values]
        order = sorted(range(len(values)), key=lengths.__getitem__)
        size = _PART if len(set(lengths)) > 1 else len(values)
        starts = range(0, len(values), size)
        parts = [self.collates.collate([values[at] for at in order[start : start + size]]) for start in starts]
        return {"order_N": torch.tensor(order), **{str(number): part for number, part in enumerate(parts)}}


def all_alike(value: Any) -> float:
    """The length of values of a modality that does not say it: all of them make one part."""
    return 0.0


def in_order(encode: Callable[[Any], Tensor], batch: dict[str, Any]) -> Tensor:
    """What ``encode`` makes of the parts, in the order of the values."""
    encoded_ND = torch.cat([encode(part) for key, part in batch.items() if key != "order_N"])
    return encoded_ND[batch["order_N"].argsort()]
