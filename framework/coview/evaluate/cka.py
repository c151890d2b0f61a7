"""How alike are two encoders' representations of the same samples, whatever their axes?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_FEWEST = 4


def cka(x_ND: Tensor, y_NE: Tensor, *, debiased: bool = True) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019, arXiv:1905.00414, section 3).

    1 where one is the other but for a rotation, a scale and a shift, 0 where they share nothing. The plain estimate,
    ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centred columns, nears 1 for any two representations as they get wider than there are
    samples. The debiased one takes the unbiased estimate of HSIC (Song et al. 2012) in all three places, as in
    arXiv:2010.15327, section 3: unrelated representations have 0 on average, so that it may be slightly negative.
    Neither makes an N × N matrix.

    Args:
        x_ND, y_NE: Representations of the same samples in the same order, of any two widths.
        debiased: Whether to take the unbiased estimate; the plain one is for comparison with published numbers.

    Raises:
        ValueError: If the numbers of samples differ, there are fewer than 4, or all rows of one are equal.
    """
    N = len(x_ND)
    if len(y_NE) != N or x_ND.ndim != 2 or y_NE.ndim != 2 or N < _FEWEST:
        shapes = f"{tuple(x_ND.shape)} and {tuple(y_NE.shape)}"
        raise ValueError(
            f"cka compares two representations of the same {_FEWEST} samples or more, (N, D) and (N, E), got {shapes}"
        )
    x_ND, y_NE = (z - z.mean(0) for z in (x_ND.double(), y_NE.double()))
    hsic: Callable[[Tensor, Tensor], float] = _unbiased_hsic if debiased else _plain_hsic
    own_x, own_y = hsic(x_ND, x_ND), hsic(y_NE, y_NE)
    if not (own_x > 0 and own_y > 0):
        raise ValueError("cka is not defined where all samples have the same representation, or a number is not finite")
    return hsic(x_ND, y_NE) / math.sqrt(own_x * own_y)


def _plain_hsic(x_ND: Tensor, y_NE: Tensor) -> float:
    """(N - 1)² times the biased estimate, of centred columns."""
    return float((x_ND.T @ y_NE).square().sum())


def _unbiased_hsic(x_ND: Tensor, y_NE: Tensor) -> float:
    """N (N - 3) times the estimate of Song et al. 2012, with K = XXᵀ and L = YYᵀ less their diagonals."""
    N = len(x_ND)
    k_N, l_N = x_ND.square().sum(1), y_NE.square().sum(1)  # the diagonals
    # the columns are centred, so that the rows of XXᵀ sum to 0, and those of K to what the diagonal lacks
    rows_K, rows_L = -k_N, -l_N
    trace = (x_ND.T @ y_NE).square().sum() - torch.dot(k_N, l_N)
    sums = rows_K.sum() * rows_L.sum() / ((N - 1) * (N - 2))
    return float(trace + sums - 2 / (N - 2) * torch.dot(rows_K, rows_L))
