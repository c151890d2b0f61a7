"""Statistics over the batch, in the form that costs least for its shape.  N sample · D width."""

from __future__ import annotations

from torch import Tensor

EPS = 1e-5
"""Added to variances, as batch norm does."""


def standardised(z_ND: Tensor) -> Tensor:
    """Mean 0 and variance 1 in every dimension; a constant dimension becomes 0."""
    centred_ND = z_ND - z_ND.mean(0)
    scaled: Tensor = centred_ND * (centred_ND.square().mean(0) + EPS).rsqrt()
    return scaled


def covariance_energy(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """The sum of squares of ``a.T @ b``.

    For small N by the Gram matrices, with which it is the sum of (a aᵀ) ⊙ (b bᵀ): N² D for each of them that there is,
    in place of N D².
    """
    N, D = a_ND.shape
    gram_matrices = 1 if b_ND is a_ND else 2
    if gram_matrices * N >= D:
        energy: Tensor = (a_ND.T @ b_ND).square().sum()
        return energy
    a_NN = a_ND @ a_ND.T
    b_NN = a_NN if b_ND is a_ND else b_ND @ b_ND.T
    gram: Tensor = (a_NN * b_NN).sum()
    return gram
