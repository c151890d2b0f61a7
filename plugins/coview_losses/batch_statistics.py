"""Statistics over the batch, in the form that costs least for its shape.  N sample · D width."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

EPS = 1e-5
"""Added to variances, as batch norm does."""


def standardised(z_ND: Tensor) -> Tensor:
    """Mean 0 and variance 1 in every dimension; a constant dimension becomes 0."""
    return functional.batch_norm(z_ND, None, None, training=True, eps=EPS)


def squared_distance(x: Tensor, number: float) -> Tensor:
    """The sum of squares of what the elements differ from a number by: one operation a pass, where others take four."""
    return functional.mse_loss(x, x.new_full((), number).expand_as(x), reduction="sum")


def gram_costs_less(samples: int, width: int, *, gram_matrices: int) -> bool:
    """Whether so many N × N products cost less than a D × D product."""
    return gram_matrices * samples < width


def covariance_energy(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """The sum of squares of ``a.T @ b``.

    For small N by the Gram matrices, with which it is the sum of (a aᵀ) ⊙ (b bᵀ): N² D for each of them that there is,
    in place of N D².
    """
    N, D = a_ND.shape
    if not gram_costs_less(N, D, gram_matrices=1 if b_ND is a_ND else 2):
        energy: Tensor = (a_ND.T @ b_ND).square().sum()
        return energy
    a_NN = a_ND @ a_ND.T
    b_NN = a_NN if b_ND is a_ND else b_ND @ b_ND.T
    gram: Tensor = (a_NN * b_NN).sum()
    return gram
