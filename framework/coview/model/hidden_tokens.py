"""What a loss sees of hidden tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from coview.model.collectives import several_ranks, sum_over_ranks


@dataclass(frozen=True)
class HiddenTokens:
    """The tokens that had to be predicted, those of this process.  K token · P width.

    They are not gathered from other processes as projections are: there are too many. A loss that is a mean over tokens
    takes it by :meth:`mean`, and one that needs sums over the batch by :meth:`sum`: both are over all processes, and so
    is then the gradient.

    Attributes:
        predictions: ``(K, P)``, with gradient.
        targets: ``(K, P)``, or ``(K,)`` int64 classes.
        rows: ``(K,)``: which of the masked views each is of, counted from 0.
        views: How many views the mask is for, all samples of this process together, whatever was hidden of them.
    """

    predictions: Tensor
    targets: Tensor
    rows: Tensor
    views: int

    def sum(self, x: Tensor) -> Tensor:
        """The sum over the first dimension, over all processes."""
        total = x.sum(0)
        return sum_over_ranks(total) if several_ranks() else total

    def mean(self, x_K: Tensor, *, over: Literal["tokens", "samples"] = "tokens") -> Tensor:
        """The mean of a number for each token, over all processes; 0 where no token is hidden.

        Args:
            x_K: The numbers.
            over: "tokens": each token counts alike. "samples": each view that is masked counts alike, whatever its
                number of hidden tokens, and one of which none is hidden counts as 0.
        """
        if over == "tokens":
            return self.sum(x_K) / self.count.to(x_K.dtype)
        of_row_K = torch.bincount(self.rows, minlength=max(self.views, 1)).clamp(min=1)[self.rows]
        return self.sum(x_K / of_row_K) / self._all_views.to(x_K.dtype)

    @cached_property
    def count(self) -> Tensor:
        """How many tokens there are over all processes, at least 1."""
        return self.sum(torch.ones_like(self.rows)).clamp(min=1)

    @cached_property
    def _all_views(self) -> Tensor:
        return self.sum(self.rows.new_full((1,), self.views)).clamp(min=1)
