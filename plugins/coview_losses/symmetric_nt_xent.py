"""NT-Xent of all rows among themselves: half the matrix of logits, a tile at a time, forward and backward in one place.

Without a teacher the matrix is symmetric. A tile above the diagonal serves its rows and its columns, in both passes:
with s the logits, p the positives (P = V - 1 of them), and u the rows whose inner products are the logits,

    l_i = log (sum over p of exp(s_ip) + sum over negatives j of exp(s_ij)),      loss = mean over i of l_i - mean s_ip
    du_i = sum over negatives j of exp(s_ij) (exp(-l_i) + exp(-l_j)) u_j
         + sum over p of (exp(s_ip - l_i) + exp(s_ip - l_p) - 2 / P) u_p

The matrix is never kept: tiles of it live in buffers that are made once a call, as fresh memory costs ten times what
memory in use does. Rows are sorted by id, so that what is to be left out lies about the diagonal. Exponentials are
taken without subtracting a maximum first, which would be another one for the columns than for the rows: logits are
within plus and minus 1 / T, and ``is_bounded`` says for which T that is close enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from coview_losses.cosine import SMALLEST_NORM, in_full_precision, no_autocast
from coview_losses.tiled_log_sum_exp import differentiable_once

TILE_ROWS = {"cpu": 512}
"""By device: a tile of 1 MiB in fp32 stays in the cache of a core."""

TILE_ROWS_ELSEWHERE = 4096
"""64 MiB, enough to keep a card busy."""

KEPT_ELEMENTS = 10 * 2**20
"""Up to 4096 rows the tiles are kept for the backward pass, in no more than 40 MiB of fp32."""


def is_bounded(temperature: float, rows: int, dtype: torch.dtype) -> bool:
    """Whether logits of that temperature, and sums of as many, can be exponentiated as they are, with either sign."""
    exponents = -math.log(torch.finfo(dtype).tiny)  # 87 in fp32
    return 1 / temperature + math.log(rows) < exponents - 1


def symmetric_nt_xent(z_VND: Tensor, ids_N: Tensor, temperature: float, on_host_N: Tensor | None = None) -> Tensor:
    """The mean loss of all rows.  V view · N sample · D width · K = V·N row · R, C rows and columns of a tile.

    Args:
        z_VND: At least two views, in any floating-point type.
        ids_N: Sample ids.
        temperature: T, for which logits are bounded.
        on_host_N: The ids on the host, where they are known there: nothing then waits for the device.
    """
    with no_autocast(z_VND.device):
        loss: Tensor = _SymmetricNTXent.apply(in_full_precision(z_VND), ids_N, temperature, on_host_N)
    return loss


class _SymmetricNTXent(Function):
    @staticmethod
    def forward(ctx: Any, z_VND: Tensor, ids_N: Tensor, temperature: float, on_host_N: Tensor | None) -> Tensor:
        V, N, _ = z_VND.shape
        norm_VN1 = torch.linalg.vector_norm(z_VND, dim=-1, keepdim=True)
        factor_VN1 = temperature**-0.5 / norm_VN1.masked_fill_(norm_VN1 <= SMALLEST_NORM, torch.inf)
        u_VND = z_VND * factor_VN1
        ids_K, order_K = ids_N.repeat(V).sort()
        on_host_K = ids_K if on_host_N is None else on_host_N.repeat(V).sort().values
        u_KD = u_VND.flatten(0, 1).index_select(0, order_K)
        tiles = _Tiles(u_KD, ids_K, on_host_K, keeps=ctx.needs_input_grad[0])
        sums_K = torch.empty_like(tiles.rank_K).index_copy_(0, order_K, tiles.sums())
        positives = {pair: (u_VND[pair[0]] * u_VND[pair[1]]).sum(-1) for pair in combinations(range(V), 2)}
        of_views = [torch.stack([positives[min(v, g), max(v, g)] for g in range(V) if g != v]) for v in range(V)]
        positives_VPN = torch.stack(of_views)
        l_VN = torch.logaddexp(sums_K.log_().view(V, N), positives_VPN.logsumexp(1))
        loss = (l_VN - positives_VPN.mean(1)).mean()
        ctx.save_for_backward(loss, u_VND, factor_VN1, l_VN, order_K, *positives.values())
        ctx.tiles, ctx.temperature = tiles, temperature
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        loss, u_VND, factor_VN1, l_VN, order_K, *positives = ctx.saved_tensors
        V, N, _ = u_VND.shape
        with torch.no_grad(), no_autocast(u_VND.device):
            by_id_KD = ctx.tiles.weighted_sums(l_VN.neg().exp_().flatten().index_select(0, order_K))
            du_VND = torch.empty_like(by_id_KD).index_copy_(0, order_K, by_id_KD).view_as(u_VND)
            for (view, other), positive_N in zip(combinations(range(V), 2), positives, strict=True):
                pull_N = (positive_N - l_VN[view]).exp_().add_((positive_N - l_VN[other]).exp_()).sub_(2 / (V - 1))
                du_VND[view].addcmul_(pull_N[:, None], u_VND[other])
                du_VND[other].addcmul_(pull_N[:, None], u_VND[view])
            # what lengthens a row changes nothing
            along_VN1 = torch.linalg.vecdot(du_VND, u_VND).mul_(ctx.temperature)[..., None]
            dz_VND = du_VND.addcmul_(along_VN1, u_VND, value=-1).mul_(factor_VN1 * (gradients[0] / (V * N)))
        return differentiable_once(dz_VND, gradients[0], loss), None, None, None


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    has_equal_ids: bool


class _Tiles:
    """The exponentials of the upper triangle, of rows that are sorted by id."""

    def __init__(self, u_KD: Tensor, ids_K: Tensor, on_host_K: Tensor, *, keeps: bool) -> None:
        self.u_KD = u_KD
        self.rank_K = torch.searchsorted(ids_K, ids_K).to(u_KD.dtype)
        self._size = min(len(u_KD), TILE_ROWS.get(u_KD.device.type, TILE_ROWS_ELSEWHERE))
        self._tiles = list(_upper_triangle(on_host_K, self._size))
        self._spare = u_KD.new_empty(self._size**2)
        self._keeps = keeps and len(self._tiles) * self._size**2 <= KEPT_ELEMENTS
        self._buffers = u_KD.new_empty(len(self._tiles) if self._keeps else 1, self._size**2)

    def sums(self) -> Tensor:
        """``(K,)``: of each row over the rows of other ids."""
        sums_K = self.u_KD.new_zeros(len(self.u_KD))
        for number, tile in enumerate(self._tiles):
            exp_RC = self._exponentials(number)
            sums_K[tile.rows] += exp_RC.sum(1)
            if tile.rows != tile.columns:
                sums_K[tile.columns] += exp_RC.sum(0)
        return sums_K

    def weighted_sums(self, weight_K: Tensor) -> Tensor:
        """``(K, D)``: for each row i the sum of exp(s_ij) (w_i + w_j) u_j over the rows j of other ids."""
        found_KD = torch.zeros_like(self.u_KD)
        for number, (rows, columns, _) in enumerate(self._tiles):
            exp_RC = self._kept(number) if self._keeps else self._exponentials(number)
            weighted_RC = self._shaped(self._spare, number)
            torch.add(weight_K[rows, None], weight_K[columns], out=weighted_RC).mul_(exp_RC)
            found_KD[rows].addmm_(weighted_RC, self.u_KD[columns])
            if rows != columns:
                found_KD[columns].addmm_(weighted_RC.T, self.u_KD[rows])
        return found_KD

    def _exponentials(self, number: int) -> Tensor:
        """Of a tile; 0 for rows of equal ids, whose ranks differ by 0 and others' by 1 or more."""
        rows, columns, has_equal_ids = self._tiles[number]
        exp_RC = self._kept(number)
        torch.mm(self.u_KD[rows], self.u_KD[columns].T, out=exp_RC).exp_()
        if has_equal_ids:
            differs_RC = self._shaped(self._spare, number)  # a comparison would take four times as long
            torch.sub(self.rank_K[rows, None], self.rank_K[columns], out=differs_RC).abs_().clamp_(max=1)
            exp_RC.mul_(differs_RC)
        return exp_RC

    def _kept(self, number: int) -> Tensor:
        return self._shaped(self._buffers[number if self._keeps else 0], number)

    def _shaped(self, buffer: Tensor, number: int) -> Tensor:
        rows, columns, _ = self._tiles[number]
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return buffer[: math.prod(shape)].view(shape)


def _upper_triangle(ids_K: Tensor, size: int) -> Iterator[_Tile]:
    bounds = [*range(0, len(ids_K), size), len(ids_K)]
    slices = [slice(first, last) for first, last in pairwise(bounds)]
    if len(slices) == 1:
        yield _Tile(slices[0], slices[0], True)
        return
    first_ids, last_ids = ids_K[bounds[:-1]].tolist(), ids_K[[bound - 1 for bound in bounds[1:]]].tolist()
    for r, rows in enumerate(slices):
        for c in range(r, len(slices)):
            yield _Tile(rows, slices[c], first_ids[c] <= last_ids[r])
