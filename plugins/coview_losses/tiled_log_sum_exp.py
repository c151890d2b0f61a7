"""Log-sum-exp of inner products of anchors and candidates of other ids, some anchors at a time.

The matrix of all inner products is never kept: some whole rows of it, a band, live in a buffer that is made once a
call, as fresh memory costs ten times what memory in use does. Both sides are sorted by id, so that what is to be left
out of a band is in a few columns that lie together. The anchors' gradient is the mean of the candidates, weighted by
softmax, which the forward pass takes along: where the candidates need no gradient (a teacher's, a queue's) the backward
pass has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from coview_losses.cosine import no_autocast

BAND_ELEMENTS = 2**22
"""16 MiB in fp32."""


def tiled_log_sum_exp(
    anchors_AD: Tensor,
    candidates_KD: Tensor,
    ids_A: Tensor,
    ids_K: Tensor,
    on_host: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """``(A,)``: for each anchor over all candidates of other ids; -inf, without gradient, where there are none.

    Args:
        anchors_AD: In fp32 or fp64.
        candidates_KD: In the same type; at least one.
        ids_A: Of each anchor.
        ids_K: Of each candidate.
        on_host: Both ids on the host, where they are known there: nothing then waits for the device.
    """
    with no_autocast(anchors_AD.device):
        result_A: Tensor = _LogSumExp.apply(anchors_AD, candidates_KD, ids_A, ids_K, on_host)
    return result_A


class _LogSumExp(Function):
    @staticmethod
    def forward(
        ctx: Any,
        anchors_AD: Tensor,
        candidates_KD: Tensor,
        ids_A: Tensor,
        ids_K: Tensor,
        on_host: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        (ids_A, order_A), (ids_K, order_K) = ids_A.sort(), ids_K.sort()
        sorted_ids = (ids_A, ids_K) if on_host is None else (on_host[0].sort().values, on_host[1].sort().values)
        anchors_AD, candidates_KD = anchors_AD.index_select(0, order_A), candidates_KD.index_select(0, order_K)
        products = _Products(anchors_AD, candidates_KD, ids_A, ids_K, sorted_ids)
        found_A = products.anchors_AD.new_empty(len(ids_A))
        means_AD = torch.empty_like(products.anchors_AD) if ctx.needs_input_grad[0] else None
        for rows, product_RK in products:
            largest_R = product_RK.amax(1)
            largest_R.masked_fill_(largest_R == -torch.inf, 0)
            sums_R = product_RK.sub_(largest_R[:, None]).exp_().sum(1)
            torch.add(largest_R, sums_R.log(), out=found_A[rows])
            if means_AD is not None:
                divisor_R1 = sums_R.masked_fill(sums_R == 0, 1)[:, None]
                torch.mm(product_RK, products.candidates_KD, out=means_AD[rows]).div_(divisor_R1)
        result_A = torch.empty_like(found_A).index_copy_(0, order_A, found_A)
        ctx.save_for_backward(result_A, found_A, means_AD, order_A, order_K)
        ctx.products = products
        return result_A

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        result_A, found_A, means_AD, order_A, order_K = ctx.saved_tensors
        by_id_A = gradients[0].detach().index_select(0, order_A)
        to_anchors_AD = to_candidates_KD = None
        with torch.no_grad(), no_autocast(found_A.device):
            if means_AD is not None:
                to_anchors_AD = torch.empty_like(means_AD).index_copy_(0, order_A, means_AD * by_id_A[:, None])
            if ctx.needs_input_grad[1]:
                found_KD = torch.zeros_like(ctx.products.candidates_KD)
                finite_A = found_A.masked_fill(found_A == -torch.inf, 0)
                for rows, product_RK in ctx.products:
                    product_RK.sub_(finite_A[rows, None]).exp_().mul_(by_id_A[rows, None])
                    found_KD.addmm_(product_RK.T, ctx.products.anchors_AD[rows])
                to_candidates_KD = torch.empty_like(found_KD).index_copy_(0, order_K, found_KD)
        computed_from = (gradients[0], result_A)
        return (
            None if to_anchors_AD is None else differentiable_once(to_anchors_AD, *computed_from),
            None if to_candidates_KD is None else differentiable_once(to_candidates_KD, *computed_from),
            None,
            None,
            None,
        )


class _Band(NamedTuple):
    rows: slice
    equal_ids: slice
    """The columns among which are all candidates of these anchors' ids."""


class _Products:
    """Iterates over (rows, their inner products with all candidates, -inf for equal ids), which may be overwritten."""

    def __init__(
        self,
        anchors_AD: Tensor,
        candidates_KD: Tensor,
        ids_A: Tensor,
        ids_K: Tensor,
        sorted_ids: tuple[Tensor, Tensor],
    ) -> None:
        self.anchors_AD, self.candidates_KD = anchors_AD, candidates_KD
        self._ids_A, self._ids_K = ids_A, ids_K
        self._size = max(1, min(len(ids_A), BAND_ELEMENTS // len(ids_K)))
        self._bands = list(_bands(*sorted_ids, self._size))

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        buffer_RK = self.anchors_AD.new_empty(self._size, len(self.candidates_KD))
        for rows, equal_ids in self._bands:
            product_RK = buffer_RK[: rows.stop - rows.start]
            torch.mm(self.anchors_AD[rows], self.candidates_KD.T, out=product_RK)
            is_equal = self._ids_A[rows, None] == self._ids_K[equal_ids]
            product_RK[:, equal_ids].masked_fill_(is_equal, -torch.inf)
            yield rows, product_RK


def _bands(ids_A: Tensor, ids_K: Tensor, size: int) -> Iterator[_Band]:
    bounds = [*range(0, len(ids_A), size), len(ids_A)]
    first = torch.searchsorted(ids_K, ids_A[bounds[:-1]]).tolist()
    last = torch.searchsorted(ids_K, ids_A[[bound - 1 for bound in bounds[1:]]], right=True).tolist()
    for rows, *columns in zip(pairwise(bounds), first, last, strict=True):
        yield _Band(slice(*rows), slice(*columns))


def differentiable_once(gradient: Tensor, *computed_from: Tensor) -> Tensor:
    """The gradient as it is; whoever differentiates it by what it was computed from gets an error, not zeros."""
    if not torch.is_grad_enabled():  # nobody means to
        return gradient
    refusing: Tensor = _Refusing.apply(gradient, *computed_from)
    return refusing


class _Refusing(Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *computed_from: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise RuntimeError(
            "a loss that is computed in tiles has no second derivative, as its tiles are not kept; "
            "in a small batch (nt_xent: below 128 rows) it is computed at once, and has one"
        )
