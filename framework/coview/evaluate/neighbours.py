"""Exact nearest neighbours by cosine, in tiles, at little more than the price of the matrix product.

A top-k over whole rows of similarities costs a second pass over all of them. But the k largest of a row lie in the
k blocks with the largest maxima: were an entry in another block, each of those k blocks would hold one at least as
large. So a tile's rows are cut into blocks, the maxima taken while the products are still in the cache, and only
the k winning blocks are searched. Every buffer is made once and written into again, since the pages of a fresh one
cost more than its arithmetic.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

QUERIES = 512
"""Queries in a tile, at most; fewer for a large bank, see SIMILARITIES."""
SIMILARITIES = 512 * 50_176
"""Similarities kept at a time: 98 MiB of fp32."""
ROWS = 2048
"""Bank rows in a tile; a multiple of BLOCK."""
BLOCK = 32
SMALLEST_NORM = 1e-12


@torch.no_grad()
def nearest(queries_QD: Tensor, bank_BD: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k rows of the bank with the largest cosine to each query.  Q query · B bank row · D width.

    Of rows that are equally similar at the k-th place any may be returned. A zero row has cosine 0 with everything.

    Args:
        queries_QD: float32, on any device.
        bank_BD: float32, on the same device.
        k: From 1 to B.

    Returns:
        Cosines and bank rows, each of shape (Q, k), from the most to the least similar.
    """
    (Q, D), B = queries_QD.shape, len(bank_BD)
    like: Any = {"dtype": queries_QD.dtype, "device": queries_QD.device}
    width = max(1, min(Q, QUERIES, max(16, SIMILARITIES // B)))
    blocks = -(-B // BLOCK)
    cosines_BW = torch.empty(blocks * BLOCK, width, **like)
    maxima_bW = torch.empty(blocks, width, **like)
    unit_rows_RD = torch.empty(min(ROWS, B), D, **like)
    unit_queries_WD = torch.empty(width, D, **like)
    cosines_BW[B:] = -torch.inf
    scale_B1, scale_Q1 = _inverse_norms(bank_BD), _inverse_norms(queries_QD)
    in_block = torch.arange(BLOCK, device=queries_QD.device)
    top_Qk = torch.empty(Q, k, **like)
    rows_Qk = torch.empty(Q, k, dtype=torch.int64, device=queries_QD.device)

    for tile in range(0, Q, width):
        first = min(tile, Q - width)  # the last tile overlaps the one before, so that the buffers fit it too
        here = slice(first, first + width)
        torch.mul(queries_QD[here], scale_Q1[here], out=unit_queries_WD)
        for start in range(0, B, ROWS):
            end = min(start + ROWS, B)
            unit_rows = torch.mul(bank_BD[start:end], scale_B1[start:end], out=unit_rows_RD[: end - start])
            torch.mm(unit_rows, unit_queries_WD.T, out=cosines_BW[start:end])
            block = slice(start // BLOCK, -(-end // BLOCK))
            tile_bRW = cosines_BW[start : block.stop * BLOCK].view(-1, BLOCK, width)
            torch.amax(tile_bRW, 1, out=maxima_bW[block])
        if k < blocks:
            winners_Wk = maxima_bW.T.contiguous().topk(k, sorted=False).indices
            candidates_WC = (winners_Wk[:, :, None] * BLOCK + in_block).flatten(1)
            top_Wk, at_Wk = cosines_BW.T.gather(1, candidates_WC).topk(k)
            rows_Qk[here] = candidates_WC.gather(1, at_Wk)
        else:
            top_Wk, rows_Qk[here] = cosines_BW[:B].T.contiguous().topk(k)
        top_Qk[here] = top_Wk
    return top_Qk, rows_Qk


def _inverse_norms(x_ND: Tensor) -> Tensor:
    """(N, 1), so that a zero row stays zero."""
    norms: Tensor = torch.linalg.vector_norm(x_ND, dim=1, keepdim=True)
    return norms.clamp_min(SMALLEST_NORM).reciprocal()
