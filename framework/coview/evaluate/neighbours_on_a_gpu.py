"""Exact nearest neighbours by cosine on a GPU: few, large products, and few passes over what they make.

A GPU has done with a small product before the CPU has started the next one, and its caches do not hold a tile. So
tiles are large, and their similarities are written once and read once: for the maximum of each block, whose entries lie
side by side. The k largest of a row lie in the k blocks with the largest maxima, and only these are searched. A large
bank goes by in parts, and the k best so far are kept. Nothing asks the device for a value.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIMILARITIES = 2**26
"""Kept at a time: 256 MiB of fp32."""
BANK_NUMBERS = 2**25
"""Of the unit rows of a part of the bank: 128 MiB of fp32, which are 65,536 rows of width 512."""
FEWEST_ROWS = 4096
"""Of the bank in a part, however wide they are."""
BLOCK = 32
"""With k = 20 and 50,000 rows, about as many maxima are looked through as candidates."""


@torch.no_grad()
def nearest_in_large_tiles(
    queries_QD: Tensor, bank_BD: Tensor, scale_Q1: Tensor, scale_B1: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """As :func:`coview.evaluate.neighbours.nearest`.  R row of a part of the bank · W query of a tile.

    Args:
        queries_QD: float32.
        bank_BD: float32, on the same device.
        scale_Q1: The inverse norms of the queries.
        scale_B1: Those of the bank's rows.
        k: From 1 to B.
    """
    (Q, D), B = queries_QD.shape, len(bank_BD)
    rows = min(B, max(FEWEST_ROWS, BANK_NUMBERS // D))
    blocks = -(-rows // BLOCK)
    width = max(1, min(Q, SIMILARITIES // (blocks * BLOCK)))
    unit_RD = queries_QD.new_empty(rows, D)
    unit_WD = queries_QD.new_empty(width, D)
    cosines_WR = queries_QD.new_empty(width, blocks * BLOCK)
    top_Qk = queries_QD.new_full((Q, k), -torch.inf)
    rows_Qk = torch.zeros(Q, k, dtype=torch.int64, device=queries_QD.device)
    in_block = torch.arange(BLOCK, device=queries_QD.device)
    for start in range(0, B, rows):
        count = min(rows, B - start)
        part_RD = torch.mul(bank_BD[start : start + count], scale_B1[start : start + count], out=unit_RD[:count])
        cosines_WR[:, count:] = -torch.inf
        for first in range(0, Q, width):
            here = slice(first, min(first + width, Q))
            tile_WD = torch.mul(queries_QD[here], scale_Q1[here], out=unit_WD[: here.stop - first])
            tile_WR = cosines_WR[: len(tile_WD)]
            torch.mm(tile_WD, part_RD.T, out=tile_WR[:, :count])
            top_Wk, at_Wk = _largest(tile_WR, count, k, in_block)
            if start == 0 and top_Wk.shape[1] == k:
                top_Qk[here], rows_Qk[here] = top_Wk, at_Wk
                continue
            both = torch.cat([top_Qk[here], top_Wk], 1), torch.cat([rows_Qk[here], at_Wk + start], 1)
            top_Qk[here], kept_Wk = both[0].topk(k)
            rows_Qk[here] = both[1].gather(1, kept_Wk)
    return top_Qk, rows_Qk


def _largest(cosines_WR: Tensor, count: int, k: int, in_block: Tensor) -> tuple[Tensor, Tensor]:
    """The k largest of each row, or all where there are fewer, and their places; behind ``count`` entries lies -inf."""
    blocks_WbR = cosines_WR.view(len(cosines_WR), -1, BLOCK)
    if k >= blocks_WbR.shape[1]:
        whole: tuple[Tensor, Tensor] = cosines_WR[:, :count].topk(min(k, count))
        return whole
    winners_Wk = blocks_WbR.amax(2).topk(k, sorted=False).indices
    candidates_WC = (winners_Wk[:, :, None] * BLOCK + in_block).flatten(1)
    top_Wk, at_Wk = cosines_WR.gather(1, candidates_WC).topk(k)
    return top_Wk, candidates_WC.gather(1, at_Wk)
