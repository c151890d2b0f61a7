"""Hiding an exact share of each row's tokens, in some order of precedence."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Lt
from torch import Tensor

from coview.data.batch_rng import BatchRng
from coview.data.token_mask import TokenLayout

Share = Annotated[float, Gt(0), Lt(1)]
Ratio = Share | tuple[Share, Share]
"""A share, or the bounds between which each row draws one."""


def check_ratio(ratio: Ratio) -> None:
    """Raises :class:`ValueError` if the bounds are in the wrong order."""
    if isinstance(ratio, tuple) and ratio[0] > ratio[1]:
        raise ValueError(f"ratio: the lower bound comes first, got [{ratio[0]:g}, {ratio[1]:g}]")


def counts(ratio: Ratio, maskable_NT: Tensor, rng: BatchRng) -> Tensor:
    """``(N,)``: how many of each row's tokens have to be hidden.

    The share of those that may be, rounded, but at least one and never all; none of a row of which only one may be.
    """
    low, high = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    share_N = rng.uniform(1)[:, 0] * (high - low) + low
    tokens_N = maskable_NT.sum(1)
    # half a token is one, and not the nearest even number of tokens
    wanted_N = (share_N.double() * tokens_N + 0.5).floor().long()
    return torch.minimum(wanted_N.clamp(min=1), (tokens_N - 1).clamp(min=0))


def number_for_each(rng: BatchRng, layout: TokenLayout) -> Tensor:
    """``(N, T)``: a number from 0 to 1 for each token; 0 for those before the shape.

    In a grid they are drawn column by column: a batch that is longer in time has more of them, and the same first ones.
    """
    if len(layout.shape) == 1:
        drawn_NT = rng.uniform(layout.shape[0])
    else:
        height, width = layout.shape
        drawn_NT = rng.uniform(height * width).unflatten(1, (width, height)).transpose(1, 2).flatten(1)
    return layout.whole(drawn_NT)


def first(precedence_NT: Tensor, maskable_NT: Tensor, counts_N: Tensor) -> Tensor:
    """``(N, T)`` bool: of the tokens that may be hidden those of lowest precedence, as many as asked for.

    Of equal ones the first come first.
    """
    order_NT = precedence_NT.masked_fill(~maskable_NT, torch.inf).sort(dim=1, stable=True).indices
    rank_NT = torch.empty_like(order_NT)
    rank_NT.scatter_(1, order_NT, torch.arange(order_NT.shape[1], device=order_NT.device).expand_as(order_NT))
    return (rank_NT < counts_N[:, None]) & maskable_NT
