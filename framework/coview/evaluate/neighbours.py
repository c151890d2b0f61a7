"""Exact nearest neighbours by cosine, in tiles, at little more than the price of the matrix product.

A top-k over whole rows of similarities costs a second pass over all of them. But the k largest of a row lie in the
k blocks with the largest maxima: were an entry in another block, each of those k blocks would hold one at least as
large. So a tile's rows are cut into blocks, the maxima taken while the products are still in the cache, and only
the k winning blocks are searched. Every buffer is made once and written into again, since the pages of a fresh one
cost more than its arithmetic.

On the CPU a few workers search tiles of their own. Were all threads to share each of the many small steps, they
would wait for each other after every one, which on cores that others use too takes several times as long.

A GPU is busy with other sizes: ``neighbours_on_a_gpu.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from coview.data.threads import computing_on
from coview.evaluate.neighbours_on_a_gpu import nearest_in_large_tiles

WORKERS = 4
"""Tiles searched at a time on the CPU, at most."""
QUERIES = 512
"""Queries in all tiles at a time, at most; fewer for a large bank, see SIMILARITIES."""
SIMILARITIES = 512 * 50_176
"""Similarities kept at a time: 98 MiB of fp32."""
ROWS = 1024
"""Bank rows in a tile; a multiple of BLOCK."""
BLOCK = 32
SMALLEST_NORM = 1e-12


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
    Q, B = len(queries_QD), len(bank_BD)
    if queries_QD.device.type != "cpu":
        scales = _inverse_norms(queries_QD), _inverse_norms(bank_BD)
        return nearest_in_large_tiles(queries_QD, bank_BD, *scales, k)
    threads = torch.get_num_threads()
    workers = min(WORKERS, threads)
    width = max(1, min(Q, max(16, min(QUERIES, SIMILARITIES // B) // workers)))
    scale_B1 = _inverse_norms(bank_BD)
    top_Qk = queries_QD.new_empty(Q, k)
    rows_Qk = torch.empty(Q, k, dtype=torch.int64, device=queries_QD.device)
    starts = iter(range(0, Q, width))  # each worker takes the next when it has done with one

    def work() -> None:
        _search(starts, width, queries_QD, bank_BD, scale_B1, top_Qk, rows_Qk)

    if workers == 1:
        work()
        return top_Qk, rows_Qk
    each = threads // workers
    with computing_on(each), ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(each,)) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            done.result()
    return top_Qk, rows_Qk


@torch.no_grad()
def _search(
    starts: Iterable[int],
    width: int,
    queries_QD: Tensor,
    bank_BD: Tensor,
    scale_B1: Tensor,
    top_Qk: Tensor,
    rows_Qk: Tensor,
) -> None:
    """Writes the neighbours of the tiles of queries that begin at ``starts``.  W width · b block · C candidate."""
    (Q, k), (B, D) = top_Qk.shape, bank_BD.shape
    blocks = -(-B // BLOCK)
    cosines_BW = queries_QD.new_empty(blocks * BLOCK, width)
    maxima_bW = queries_QD.new_empty(blocks, width)
    unit_rows_RD = queries_QD.new_empty(min(ROWS, B), D)
    unit_queries_WD = queries_QD.new_empty(width, D)
    cosines_BW[B:] = -torch.inf
    in_block = torch.arange(BLOCK, device=queries_QD.device)

    for tile in starts:
        first = min(tile, Q - width)  # the last tile overlaps the one before, so that the buffers fit it too
        here = slice(first, first + width)
        torch.mul(queries_QD[here], _inverse_norms(queries_QD[here]), out=unit_queries_WD)
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


def _inverse_norms(x_ND: Tensor) -> Tensor:
    """(N, 1), so that a zero row stays zero."""
    norms_N1: Tensor = torch.linalg.vector_norm(x_ND, dim=1, keepdim=True)
    return norms_N1.clamp_min(SMALLEST_NORM).reciprocal()


def vote(cosines_Qk: Tensor, labels_Qk: Tensor, temperature: float) -> Tensor:
    """The class with the most weight among each query's neighbours, the lowest index of equals.

    Args:
        cosines_Qk: From the most to the least similar.
        labels_Qk: The neighbours' classes.
        temperature: Divides the cosines.
    """
    # a factor common to all of a query's neighbours changes no vote, and keeps exp from overflowing
    weights_Qk = ((cosines_Qk - cosines_Qk[:, :1]) / temperature).exp()
    votes_QC = weights_Qk.new_zeros(len(labels_Qk), int(labels_Qk.max()) + 1)
    return votes_QC.scatter_add_(1, labels_Qk, weights_Qk).argmax(1)
