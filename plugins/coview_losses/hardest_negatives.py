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
) -> Tensor:
    """Each anchor's nearest row of another id.

    Args:
        anchors_VAD: The anchors.
        teacher_GND: The rows to choose from.
        ids_N: Sample ids.
        anchors: Which of the N samples are anchors.
        distance: By which to compare; for "cosine" rows are unit rows.

    Returns:
        The rows ``(V, A, D)``, with gradient; any row where all ids are equal.
    """
    chosen_VA = torch.empty(anchors_VAD.shape[:2], dtype=torch.int64, device=anchors_VAD.device)
    with torch.no_grad():
        for view, rows, cost_RK, same in _blocks(anchors_VAD, teacher_GND, ids_N, anchors, distance):
            cost_RK[same] = torch.inf
            torch.argmin(cost_RK, dim=-1, out=chosen_VA[view, rows])
    return _take(teacher_GND, chosen_VA)


def nearest_beyond(
    anchors_VAD: Tensor, teacher_GND: Tensor, ids_N: Tensor, anchors: slice, distance: Literal["euclidean", "cosine"]
) -> Tensor:
    """For each anchor and each teacher view of its sample, the nearest row of another id that is farther than that.

    Where no row is farther, the farthest of another id.

    Returns:
        The rows ``(V, A, G, D)``, with gradient; any row where all ids are equal.
    """
    G, N, _ = teacher_GND.shape
    chosen_VAG = torch.empty((*anchors_VAD.shape[:2], G), dtype=torch.int64, device=anchors_VAD.device)
    own_A = torch.arange(N, device=ids_N.device)[anchors]
    with torch.no_grad():
        for view, rows, cost_RK, same in _blocks(anchors_VAD, teacher_GND, ids_N, anchors, distance):
            own_RG = cost_RK.gather(1, own_A[rows, None] + N * torch.arange(G, device=ids_N.device))
            cost_RK[same] = -torch.inf
            farthest_R = cost_RK.argmax(-1)
            for other in range(G):
                farther_RK = cost_RK.masked_fill(cost_RK <= own_RG[:, other, None], torch.inf)
                nearest_R1 = farther_RK.argmin(-1, keepdim=True)
                there_is_R = farther_RK.gather(1, nearest_R1)[:, 0].isfinite()
                chosen_VAG[view, rows, other] = torch.where(there_is_R, nearest_R1[:, 0], farthest_R)
    return _take(teacher_GND, chosen_VAG)


def _take(teacher_GND: Tensor, index: Tensor) -> Tensor:
    rows: Tensor = teacher_GND.flatten(0, 1).index_select(0, index.flatten()).unflatten(0, index.shape)
    return rows


def _blocks(
    anchors_VAD: Tensor, teacher_GND: Tensor, ids_N: Tensor, anchors: slice, distance: str
) -> Iterator[tuple[int, slice, Tensor, tuple[Tensor, Tensor]]]:
    """Yields (view, rows of its anchors, their costs with all candidates, where a candidate has the anchor's id)."""
    V, A, _ = anchors_VAD.shape
    G, N, _ = teacher_GND.shape
    anchors_VAD, candidates_KD, ids_A = anchors_VAD.detach(), teacher_GND.detach().flatten(0, 1), ids_N[anchors]
    constant_K = candidates_KD.square().sum(-1)
    factor = -2
    if distance == "cosine":
        constant_K.zero_()
        factor = -1
    size = max(1, min(A, BLOCK_ELEMENTS // (G * N)))
    buffer_RK = constant_K.new_empty((size, G * N))
    by_id_N = ids_N.argsort()
    sorted_N = ids_N[by_id_N]
    for first in range(0, A, size):
        rows = slice(first, min(A, first + size))
        row, sample = _equal(ids_A[rows], sorted_N)
        columns = (by_id_N[sample] + N * torch.arange(G, device=ids_N.device)[:, None]).flatten()
        for view in range(V):
            block_RD = anchors_VAD[view, rows]
            cost_RK = buffer_RK[: len(block_RD)]
            torch.addmm(constant_K, block_RD, candidates_KD.T, alpha=factor, out=cost_RK)
            yield view, rows, cost_RK, (row.repeat(G), columns)


def _equal(values_R: Tensor, sorted_N: Tensor) -> tuple[Tensor, Tensor]:
    """All (r, n) for which value r equals value n. A comparison of each with each takes as long as the distances."""
    start_R = torch.searchsorted(sorted_N, values_R)
    count_R = torch.searchsorted(sorted_N, values_R, right=True) - start_R
    row = torch.arange(len(values_R), device=values_R.device).repeat_interleave(count_R)
    within = torch.arange(len(row), device=row.device) - (count_R.cumsum(0) - count_R)[row]
    return row, start_R[row] + within
