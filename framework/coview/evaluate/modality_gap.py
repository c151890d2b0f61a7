"""How the projections of two modalities lie to each other.  N sample · D width.

All look at directions only, and at one view of each modality.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def modality_gap(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """The distance between the means of both modalities' normalised rows, 0 to 2 (arXiv:2203.02053, section 4.1)."""
    gap: Tensor = torch.linalg.vector_norm(normalize(x_ND, dim=-1).mean(0) - normalize(y_ND, dim=-1).mean(0))
    return gap


def cross_uniformity(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Log of the mean of exp(-2 · squared distance) over all pairs of different samples, one of each modality, -8 to 0.

    The uniformity of arXiv:2005.10242 across modalities: what a loss between them pushes apart.
    """
    N = len(x_ND)
    products_NN = normalize(x_ND, dim=-1) @ normalize(y_ND, dim=-1).T
    log_sum = torch.logsumexp((4 * products_NN - 4).fill_diagonal_(-torch.inf).flatten(), 0)
    return log_sum - math.log(N * (N - 1))
