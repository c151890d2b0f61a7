"""How the projections of two modalities lie to each other.  N sample · D width.

All look at directions only, and at one view of each modality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def modality_gap(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """The distance between the means of both modalities' normalised rows, 0 to 2 (arXiv:2203.02053, section 4.1)."""
    gap: Tensor = torch.linalg.vector_norm(normalize(x_ND, dim=-1).mean(0) - normalize(y_ND, dim=-1).mean(0))
    return gap


def cross_alignment(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Mean squared distance of a sample's normalised rows in both modalities, 0 to 4 (arXiv:2005.10242)."""
    return (normalize(x_ND, dim=-1) - normalize(y_ND, dim=-1)).square().sum(-1).mean()


def cross_uniformity(x_ND: Tensor, y_ND: Tensor) -> Tensor:
    """Log of the mean of exp(-2 · squared distance) over all pairs of different samples, one of each modality, -8 to 0.

    The uniformity of arXiv:2005.10242 across modalities: what a loss between them pushes apart.
    """
    N = len(x_ND)
    products_NN = normalize(x_ND, dim=-1) @ normalize(y_ND, dim=-1).T
    log_sum = torch.logsumexp((4 * products_NN - 4).fill_diagonal_(-torch.inf).flatten(), 0)
    return log_sum - math.log(N * (N - 1))


def between_modalities(z_VND: Tensor, modalities: Sequence[str], present_VN: Tensor | None = None) -> dict[str, Tensor]:
    """Of each pair of modalities its gap, alignment and uniformity: ``alignment/image-text``.

    Those of the first view of each. A pair of which fewer than two samples have both is left out.

    Args:
        z_VND: The projections.
        modalities: Of each view; of a single one there is no pair.
        present_VN: Whether a sample has the view's modality; absent: all have.
    """
    found: dict[str, Tensor] = {}
    first = {name: list(modalities).index(name) for name in dict.fromkeys(modalities)}
    for (one, x), (other, y) in combinations(first.items(), 2):
        x_ND, y_ND = z_VND[x], z_VND[y]
        if present_VN is not None:
            both_N = present_VN[x] & present_VN[y]
            x_ND, y_ND = x_ND[both_N], y_ND[both_N]
        if len(x_ND) < 2:
            continue
        for name, value in (
            ("modality_gap", modality_gap(x_ND, y_ND)),
            ("alignment", cross_alignment(x_ND, y_ND)),
            ("uniformity", cross_uniformity(x_ND, y_ND)),
        ):
            found[f"{name}/{one}-{other}"] = value
    return found
