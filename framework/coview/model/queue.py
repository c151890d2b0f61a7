"""The queue of earlier projections (MoCo, arXiv:1911.05722, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from coview.model.views import Views


class Queue(nn.Module):
    """The last projections of the target branch, with the ids of their samples; the same on every rank.

    Args:
        size: Rows kept.
        width: D.
    """

    rows_QD: Tensor
    ids_Q: Tensor
    filled: Tensor
    next: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows_QD", torch.zeros(size, width))
        self.register_buffer("ids_Q", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))
        self._at: tuple[int, int] | None = (0, 0)

    def content(self) -> tuple[Tensor, Tensor]:
        """Copies of the rows that are filled, and of their ids: what is put in later does not change them."""
        filled, _ = self._filled_and_next()
        return self.rows_QD[:filled].clone(), self.ids_Q[:filled].clone()

    @torch.no_grad()
    def put(self, views: Views) -> None:
        """Puts in the teacher's projections of a batch, in place of the oldest."""
        size, G = len(self.ids_Q), len(views.teacher)
        rows_KD = views.teacher.detach().flatten(0, 1)[-size:].to(self.rows_QD.dtype)
        ids_K = views.ids.repeat(G)[-size:]
        filled, following = self._filled_and_next()
        places = (following + torch.arange(len(ids_K), device=ids_K.device)) % size
        self.rows_QD[places] = rows_KD
        self.ids_Q[places] = ids_K
        self._at = min(size, filled + len(ids_K)), (following + len(ids_K)) % size
        self.filled.fill_(self._at[0])
        self.next.fill_(self._at[1])

    def _filled_and_next(self) -> tuple[int, int]:
        """Known here, since asking a GPU for them at every step would make it wait."""
        if self._at is None:
            self._at = int(self.filled), int(self.next)
        return self._at

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._at = None
