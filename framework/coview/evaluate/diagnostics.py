"""What a loss curve does not show: whether projections collapse, and how they lie.

V view · N sample · D width. All but the effective rank look at directions only, as contrastive losses do.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def spread(z_ND: Tensor) -> Tensor:
    """Mean standard deviation of each dimension of the normalised rows, times √D: 1 isotropic, 0 collapsed.

    SimSiam's check for collapse (arXiv:2011.10566, section 4.1), scaled to be the same for any width.
    """
    deviation: Tensor = normalize(z_ND, dim=-1).std(0).mean()
    return deviation * math.sqrt(z_ND.shape[-1])


def effective_rank(z_ND: Tensor) -> Tensor:
    """RankMe (arXiv:2210.02885, eq. 1 and 2): exp of the entropy of the normalised singular values, 1 to min(N, D)."""
    singular = torch.linalg.svdvals(z_ND)
    share = singular / singular.sum().clamp_min(1e-12) + 1e-7
    entropy: Tensor = -(share * share.log()).sum()
    return entropy.exp()


def alignment(z_VND: Tensor) -> Tensor:
    """Mean squared distance of the normalised views of a sample, over all pairs of views (arXiv:2005.10242)."""
    return 2 - 2 * positive_similarity(z_VND)


def uniformity(z_ND: Tensor) -> Tensor:
    """Log of the mean of exp(-2 · squared distance) over all pairs of normalised rows (arXiv:2005.10242)."""
    z_ND = normalize(z_ND, dim=-1)
    N = len(z_ND)
    log_sum = torch.logsumexp((4 * (z_ND @ z_ND.T) - 4).fill_diagonal_(-torch.inf).flatten(), 0)
    return log_sum - torch.tensor(float(N * (N - 1))).log()


def positive_similarity(z_VND: Tensor) -> Tensor:
    """Mean cosine of different views of the same sample; V is at least 2."""
    V, N, _ = z_VND.shape
    z_VND = normalize(z_VND, dim=-1)
    # the sum over all pairs of views is the square of the sum, less each view with itself
    pairs = z_VND.sum(0).square().sum() - z_VND.square().sum()
    return pairs / (V * (V - 1) * N)


def negative_similarity(z_ND: Tensor) -> Tensor:
    """Mean cosine of different samples' rows of one view."""
    N = len(z_ND)
    z_ND = normalize(z_ND, dim=-1)
    return (z_ND.sum(0).square().sum() - z_ND.square().sum()) / (N * (N - 1))


def diagnose(z_VND: Tensor) -> dict[str, float]:
    """All of them, for a batch of projections; waits for the device once.

    What needs two samples, or two views, is left out where there is one.
    """
    values: dict[str, Tensor] = {}
    V, N, _ = z_VND.shape
    if N >= 2:
        first = z_VND[0]
        values |= {"spread": spread(first), "effective_rank": effective_rank(first), "uniformity": uniformity(first)}
        values["negative_similarity"] = negative_similarity(first)
    if V >= 2:
        values |= {"alignment": alignment(z_VND), "positive_similarity": positive_similarity(z_VND)}
    if not values:
        return {}
    return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))
