"""Log-sum-exp of inner products over the rows of other ids, a tile of the matrix at a time.

The matrix of all inner products is never kept: tiles of it live in buffers that are made once a call, as fresh memory
costs ten times what memory in use does. Rows are sorted by id, so that what is to be left out lies about the diagonal.

``log_sum_exp_within`` is for rows among themselves. The matrix then is symmetric, and one tile above the diagonal
serves its rows and its columns, in the forward pass and in the backward pass:

    n_i = log sum over j of exp(x_i · x_j),    dx_i = sum over j of exp(x_i · x_j) (g_i / exp(n_i) + g_j / exp(n_j)) x_j

Its exponentials are taken as they are, for which inner products have to be bounded: ``is_bounded`` says how far.
``log_sum_exp_between`` is for any anchors and candidates: a tile is some whole rows, from which their largest is
subtracted. The anchors' gradient is the mean of the candidates, weighted by softmax, which the forward pass takes along,
so that where the candidates need no gradient (a teacher's, a queue's) the backward pass has nothing left to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from coview_losses.cosine import no_autocast

TILE_ROWS = {"cpu": 512}
"""By device: a tile of 1 MiB in fp32 stays in the cache of a core."""

TILE_ROWS_ELSEWHERE = 4096
"""64 MiB, enough to keep a card busy."""

TILE_ELEMENTS = 2**22
"""Of some whole rows of the matrix. No larger ones are kept for the backward pass, either."""


def is_bounded(largest: float, rows: int, dtype: torch.dtype) -> bool:
    """Whether inner products of no more than ``largest``, positive or negative, can be exponentiated as they are."""
    exponents = -math.log(torch.finfo(dtype).tiny)  # 87 in fp32
    return largest + math.log(rows) < exponents - 1


def log_sum_exp_within(rows_KD: Tensor, ids_K: Tensor) -> Tensor:
    """``(K,)``: for each row over all rows of other ids; -inf, without gradient, where there are none.

    Args:
        rows_KD: In fp32 or fp64; their inner products are bounded.
        ids_K: Of each row.
    """
    with no_autocast(rows_KD.device):
        result: Tensor = _Within.apply(rows_KD, ids_K)
    return result


def log_sum_exp_between(anchors_AD: Tensor, candidates_KD: Tensor, ids_A: Tensor, ids_K: Tensor) -> Tensor:
    """``(A,)``: for each anchor over all candidates of other ids; -inf, without gradient, where there are none.

    Args:
        anchors_AD: In fp32 or fp64.
        candidates_KD: In the same type; at least one.
        ids_A: Of each anchor.
        ids_K: Of each candidate.
    """
    with no_autocast(anchors_AD.device):
        result: Tensor = _Between.apply(anchors_AD, candidates_KD, ids_A, ids_K)
    return result


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    has_equal_ids: bool


class _Within(Function):
    @staticmethod
    def forward(ctx: Any, rows_KD: Tensor, ids_K: Tensor) -> Tensor:
        order_K = ids_K.argsort()
        ids_K, sorted_KD = ids_K[order_K], rows_KD[order_K]
        size = TILE_ROWS.get(rows_KD.device.type, TILE_ROWS_ELSEWHERE)
        tiles = list(_upper_triangle(ids_K, size))
        keeps = ctx.needs_input_grad[0] and len(rows_KD) ** 2 <= TILE_ELEMENTS
        buffers = [_buffer(sorted_KD, size) for _ in (tiles if keeps else tiles[:1])]
        sums_K = sorted_KD.new_zeros(len(sorted_KD))
        for number, tile in enumerate(tiles):
            exp_RC = _exponentials(sorted_KD, ids_K, tile, buffers[number if keeps else 0])
            sums_K[tile.rows] += exp_RC.sum(1)
            if tile.rows != tile.columns:
                sums_K[tile.columns] += exp_RC.sum(0)
        result_K = torch.empty_like(sums_K).index_copy_(0, order_K, sums_K.log())
        ctx.save_for_backward(result_K, sorted_KD, ids_K, order_K, sums_K, *(buffers if keeps else ()))
        ctx.tiles, ctx.size = tiles, size
        return result_K

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        result_K, sorted_KD, ids_K, order_K, sums_K, *kept = ctx.saved_tensors
        (gradient_K,) = gradients
        with torch.no_grad(), no_autocast(sorted_KD.device):
            # scaled to 1, or its product with the inverse of a large sum would vanish
            scale = gradient_K.abs().amax().clamp_min(torch.finfo(gradient_K.dtype).tiny)
            weight_K = torch.where(sums_K > 0, gradient_K[order_K] / scale / sums_K, 0)
            found_KD = torch.zeros_like(sorted_KD)
            again, product = None if kept else _buffer(sorted_KD, ctx.size), _buffer(sorted_KD, ctx.size)
            for number, tile in enumerate(ctx.tiles):
                if again is None:
                    exp_RC = _shaped(kept[number], tile)
                else:
                    exp_RC = _exponentials(sorted_KD, ids_K, tile, again)
                weighted_RC = _shaped(product, tile)
                torch.add(weight_K[tile.rows, None], weight_K[tile.columns], out=weighted_RC).mul_(exp_RC)
                found_KD[tile.rows].addmm_(weighted_RC, sorted_KD[tile.columns])
                if tile.rows != tile.columns:
                    found_KD[tile.columns].addmm_(weighted_RC.T, sorted_KD[tile.rows])
            to_rows_KD = torch.empty_like(found_KD).index_copy_(0, order_K, found_KD.mul_(scale))
        return _OnlyOnce.apply(to_rows_KD, gradient_K, result_K), None


class _Between(Function):
    @staticmethod
    def forward(ctx: Any, anchors_AD: Tensor, candidates_KD: Tensor, ids_A: Tensor, ids_K: Tensor) -> Tensor:
        order_A, order_K = ids_A.argsort(), ids_K.argsort()
        ids_A, ids_K = ids_A[order_A], ids_K[order_K]
        sorted_AD, sorted_KD = anchors_AD[order_A], candidates_KD[order_K]
        bands = list(_bands(ids_A, ids_K))
        buffer = _buffer(sorted_KD, _rows_of_band(ids_K), len(ids_K))
        found_A = sorted_AD.new_empty(len(ids_A))
        means_AD = torch.empty_like(sorted_AD) if ctx.needs_input_grad[0] else None
        for band in bands:
            product_RK = _products(sorted_AD, sorted_KD, ids_A, ids_K, band, buffer)
            largest_R = product_RK.amax(1)
            largest_R.masked_fill_(largest_R == -torch.inf, 0)
            sums_R = product_RK.sub_(largest_R[:, None]).exp_().sum(1)
            torch.add(largest_R, sums_R.log(), out=found_A[band.rows])
            if means_AD is not None:
                divisor_R = sums_R.masked_fill(sums_R == 0, 1)
                torch.mm(product_RK, sorted_KD, out=means_AD[band.rows]).div_(divisor_R[:, None])
        result_A = torch.empty_like(found_A).index_copy_(0, order_A, found_A)
        ctx.save_for_backward(result_A, found_A, means_AD, sorted_AD, sorted_KD, ids_A, ids_K, order_A, order_K)
        ctx.bands = bands
        return result_A

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        result_A, found_A, means_AD, sorted_AD, sorted_KD, ids_A, ids_K, order_A, order_K = ctx.saved_tensors
        (gradient_A,) = gradients
        to_anchors_AD = to_candidates_KD = None
        with torch.no_grad(), no_autocast(sorted_AD.device):
            sorted_A = gradient_A[order_A]
            if means_AD is not None:
                to_anchors_AD = torch.empty_like(means_AD).index_copy_(0, order_A, means_AD * sorted_A[:, None])
            if ctx.needs_input_grad[1]:
                found_KD = torch.zeros_like(sorted_KD)
                finite_A = found_A.masked_fill(found_A == -torch.inf, 0)
                buffer = _buffer(sorted_KD, _rows_of_band(ids_K), len(ids_K))
                for band in ctx.bands:
                    product_RK = _products(sorted_AD, sorted_KD, ids_A, ids_K, band, buffer)
                    product_RK.sub_(finite_A[band.rows, None]).exp_().mul_(sorted_A[band.rows, None])
                    found_KD.addmm_(product_RK.T, sorted_AD[band.rows])
                to_candidates_KD = torch.empty_like(found_KD).index_copy_(0, order_K, found_KD)
        return (
            None if to_anchors_AD is None else _OnlyOnce.apply(to_anchors_AD, gradient_A, result_A),
            None if to_candidates_KD is None else _OnlyOnce.apply(to_candidates_KD, gradient_A, result_A),
            None,
            None,
        )


class _OnlyOnce(Function):
    """A gradient as it is, which refuses to be differentiated by what it was computed from."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *computed_from: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise RuntimeError("a loss that is computed in tiles has no second derivative: its tiles are not kept")


def _upper_triangle(ids_K: Tensor, size: int) -> Iterator[_Tile]:
    """The tiles on the diagonal and above it, of rows that are sorted by id."""
    bounds = [*range(0, len(ids_K), size), len(ids_K)]
    slices = [slice(first, last) for first, last in pairwise(bounds)]
    first_ids, last_ids = ids_K[bounds[:-1]].tolist(), ids_K[[bound - 1 for bound in bounds[1:]]].tolist()
    for r, rows in enumerate(slices):
        for c in range(r, len(slices)):
            yield _Tile(rows, slices[c], first_ids[c] <= last_ids[r])


class _Band(NamedTuple):
    rows: slice
    equal_ids: slice
    """The columns among which are all candidates of these anchors' ids."""


def _rows_of_band(ids_K: Tensor) -> int:
    return max(1, TILE_ELEMENTS // len(ids_K))


def _bands(ids_A: Tensor, ids_K: Tensor) -> Iterator[_Band]:
    size = _rows_of_band(ids_K)
    bounds = [*range(0, len(ids_A), size), len(ids_A)]
    first = torch.searchsorted(ids_K, ids_A[bounds[:-1]]).tolist()
    last = torch.searchsorted(ids_K, ids_A[[bound - 1 for bound in bounds[1:]]], right=True).tolist()
    for rows, *columns in zip(pairwise(bounds), first, last, strict=True):
        yield _Band(slice(*rows), slice(*columns))


def _buffer(like: Tensor, rows: int, columns: int | None = None) -> Tensor:
    return like.new_empty(rows * (rows if columns is None else columns))


def _shaped(buffer: Tensor, tile: _Tile) -> Tensor:
    rows, columns = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
    return buffer[: rows * columns].view(rows, columns)


def _exponentials(sorted_KD: Tensor, ids_K: Tensor, tile: _Tile, buffer: Tensor) -> Tensor:
    """Of a tile, in the buffer; 0 for rows of equal ids."""
    exp_RC = _shaped(buffer, tile)
    torch.mm(sorted_KD[tile.rows], sorted_KD[tile.columns].T, out=exp_RC).exp_()
    if tile.has_equal_ids:
        exp_RC.masked_fill_(ids_K[tile.rows, None] == ids_K[tile.columns], 0)
    return exp_RC


def _products(
    sorted_AD: Tensor, sorted_KD: Tensor, ids_A: Tensor, ids_K: Tensor, band: _Band, buffer: Tensor
) -> Tensor:
    """Inner products of some anchors with all candidates, in the buffer; -inf for rows of equal ids."""
    rows = sorted_AD[band.rows]
    product_RK = buffer[: len(rows) * len(sorted_KD)].view(len(rows), len(sorted_KD))
    torch.mm(rows, sorted_KD.T, out=product_RK)
    product_RK[:, band.equal_ids].masked_fill_(ids_A[band.rows, None] == ids_K[band.equal_ids], -torch.inf)
    return product_RK
