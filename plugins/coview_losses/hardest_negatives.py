"""The negatives that a miner chooses, found a block of rows at a time.

The matrix of all distances is never kept: each block of it lives in one buffer, and what goes on is the chosen rows,
from which the loss takes the distance again, with gradient. Distances are compared as c(r) = |r|^2 - 2 a.r (Euclidean,
the anchor's own |a|^2 being the same for all) or -a.r (cosine).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

BLOCK_ELEMENTS = 2**22
"""Of one block of the matrix: 16 MiB in fp32, which still is large enough for the matrix product."""


def nearest_negative(
    anchors_VAD: Tensor, teacher_GND: Tensor, ids_N: Tensor, anchors: slice, distance: Literal["euclidean", "cosine"]
) -> tuple[Tensor, Tensor]:
    """Each anchor's nearest row of another id.

    Args:
        anchors_VAD: The anchors.
        teacher_GND: The rows to choose from.
        ids_N: Sample ids.
        anchors: Which of the N samples are anchors.
        distance: By which to compare; for "cosine" rows are unit rows.

    Returns:
        The rows ``(V, A, D)``, with gradient, and for each anchor whether there was one, ``(A,)``.
    """
    blocks = _Blocks(anchors_VAD, teacher_GND, ids_N, anchors, distance)
    chosen_VA = torch.empty(anchors_VAD.shape[:2], dtype=torch.int64, device=anchors_VAD.device)
    with torch.no_grad():
        for view, rows, cost_RK, same_RN in blocks:
            blocks.without(cost_RK, same_RN, torch.inf)
            torch.argmin(cost_RK, dim=-1, out=chosen_VA[view, rows])
    return _take(teacher_GND, chosen_VA), blocks.has_negatives()


def nearest_beyond(
    anchors_VAD: Tensor, teacher_GND: Tensor, ids_N: Tensor, anchors: slice, distance: Literal["euclidean", "cosine"]
) -> tuple[Tensor, Tensor]:
    """For each anchor and each teacher view of its sample, the nearest row of another id that is farther than that.

    Where no row is farther, the farthest of another id.

    Returns:
        The rows ``(V, A, G, D)``, with gradient, and for each anchor whether there was one, ``(A,)``.
    """
    G, N, _ = teacher_GND.shape
    blocks = _Blocks(anchors_VAD, teacher_GND, ids_N, anchors, distance)
    chosen_VAG = torch.empty((*anchors_VAD.shape[:2], G), dtype=torch.int64, device=anchors_VAD.device)
    own_A = torch.arange(N, device=ids_N.device)[anchors]
    with torch.no_grad():
        for view, rows, cost_RK, same_RN in blocks:
            own_RG = cost_RK.gather(1, own_A[rows, None] + N * torch.arange(G, device=ids_N.device))
            blocks.without(cost_RK, same_RN, -torch.inf)
            farthest_R = cost_RK.argmax(-1)
            for other in range(G):
                farther_RK = cost_RK.masked_fill(cost_RK <= own_RG[:, other, None], torch.inf)
                nearest_R1 = farther_RK.argmin(-1, keepdim=True)
                there_is_R = farther_RK.gather(1, nearest_R1)[:, 0].isfinite()
                chosen_VAG[view, rows, other] = torch.where(there_is_R, nearest_R1[:, 0], farthest_R)
    return _take(teacher_GND, chosen_VAG), blocks.has_negatives()


def _take(teacher_GND: Tensor, index: Tensor) -> Tensor:
    rows: Tensor = teacher_GND.flatten(0, 1).index_select(0, index.flatten()).unflatten(0, index.shape)
    return rows


class _Blocks:
    """Iterates over (view, rows of it, their costs with all candidates, whether a sample has the anchor's id)."""

    def __init__(self, anchors_VAD: Tensor, teacher_GND: Tensor, ids_N: Tensor, anchors: slice, distance: str) -> None:
        self._anchors_VAD = anchors_VAD.detach()
        self._candidates_KD = teacher_GND.detach().flatten(0, 1)
        self._ids_N, self._ids_A = ids_N, ids_N[anchors]
        self._factor = -1 if distance == "cosine" else -2
        self._constant_K = self._candidates_KD.square().sum(-1)
        if distance == "cosine":
            self._constant_K.zero_()

    def __iter__(self) -> Iterator[tuple[int, slice, Tensor, Tensor]]:
        V, A, _ = self._anchors_VAD.shape
        K = len(self._candidates_KD)
        size = max(1, min(A, BLOCK_ELEMENTS // K))
        buffer_RK = self._constant_K.new_empty((size, K))
        for view in range(V):
            for first in range(0, A, size):
                rows = slice(first, min(A, first + size))
                block_RD = self._anchors_VAD[view, rows]
                cost_RK = buffer_RK[: len(block_RD)]
                torch.addmm(self._constant_K, block_RD, self._candidates_KD.T, alpha=self._factor, out=cost_RK)
                yield view, rows, cost_RK, self._ids_A[rows, None] == self._ids_N

    def without(self, cost_RK: Tensor, same_RN: Tensor, fill: float) -> None:
        """Overwrites the costs of candidates of the anchor's own id."""
        cost_RK.view(len(cost_RK), -1, same_RN.shape[1]).masked_fill_(same_RN[:, None], fill)

    def has_negatives(self) -> Tensor:
        """Whether any sample is of another id."""
        return (self._ids_A[:, None] != self._ids_N).any(-1)
