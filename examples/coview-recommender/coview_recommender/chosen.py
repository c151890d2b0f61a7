"""What all samples share: who has chosen what."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Chosen:
    """The lines of the training split as a matrix.  U user · I item.

    Attributes:
        matrix_UI: Sparse, 1 where a user has chosen an item.
        counts_U: How many items each user has chosen.
    """

    matrix_UI: Tensor
    counts_U: Tensor

    def to(self, device: torch.device) -> Chosen:
        """On another device."""
        return Chosen(self.matrix_UI.to(device), self.counts_U.to(device))
