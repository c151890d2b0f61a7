"""The contract of batches that are not tensors with rows first, such as graphs of different sizes."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class StructuredBatch(Protocol):
    """What a modality's or an encoder's ``collate`` may make in place of a tensor or a mapping of tensors.

    What takes batches apart by samples (``train.grad_cache``, ``teacher.shuffle_groups``) goes by its rows, and what
    would have to put several together is refused before training: a step on the device for some of the views, and
    with several processes what works on the batch of all. In loader processes it is pickled.
    """

    def __len__(self) -> int:
        """How many rows: one for each value that was collated, in their order."""
        ...

    def select(self, rows: Tensor, /) -> Self:
        """Some of the rows in another order; this batch is left as it was.

        Args:
            rows: ``(K,)`` int64 on the CPU, each the number of a row.
        """
        ...

    def to(self, device: torch.device, /) -> Self:
        """On another device, if it can be without waiting."""
        ...

    def pin_memory(self) -> Self:
        """In memory from which a GPU reads without waiting."""
        ...
