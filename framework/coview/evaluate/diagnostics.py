"""What a loss curve does not show: whether projections collapse, and how they lie.

V view · N sample · D width. All but the effective rank, LiDAR and isotropy look at directions only, as contrastive
losses do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from coview.evaluate.modality_gap import cross_uniformity, modality_gap


def spread(z_ND: Tensor) -> Tensor:
    """Mean standard deviation of each dimension of the normalised rows, times √D: 1 isotropic, 0 collapsed.

    SimSiam's check for collapse (arXiv:2011.10566, section 4.1), scaled to be the same for any width.
    """
    deviation: Tensor = normalize(z_ND, dim=-1).std(0).mean()
    return deviation * math.sqrt(z_ND.shape[-1])


def effective_rank(z_ND: Tensor) -> Tensor:
    """RankMe (arXiv:2210.02885): exp of the entropy of the normalised singular values, 1 to min(N, D)."""
    return _rank(torch.linalg.svdvals(z_ND))


def _rank(values: Tensor) -> Tensor:
    """exp of the entropy of their shares."""
    share = values / values.sum().clamp_min(1e-12) + 1e-7
    entropy: Tensor = -(share * share.log()).sum()
    return entropy.exp()


def lidar(z_VND: Tensor, delta: float = 1e-4) -> Tensor:
    """LiDAR (arXiv:2312.04000, section 4): RankMe's rank of what tells the samples apart, 1 to min(N - 1, D).

    The eigenvalues are those of linear discriminant analysis with each sample as a class and its views as members, so
    that directions in which views of one sample vary as much as samples do count little. NaN where the covariance
    within samples has no Cholesky factor, as with numbers beyond 1e5.

    Args:
        z_VND: At least 2 views, and N (V - 1) at least D, else ``delta`` decides; the paper has 50 views of 1000.
        delta: Added to the variances within samples; the paper's is 1e-4.
    """
    V, N, D = z_VND.shape
    z_VND = (z_VND.cpu() if z_VND.device.type == "mps" else z_VND).double()  # MPS has no float64
    mean_ND = z_VND.mean(0)
    apart_RD = (z_VND - mean_ND).flatten(0, 1)
    within_DD = apart_RD.T @ apart_RD / (V * N) + delta * torch.eye(D, dtype=z_VND.dtype, device=z_VND.device)
    factor_DD, failed = torch.linalg.cholesky_ex(within_DD)
    # L⁻¹B has the eigenvalues of W^-½ B W^-½ as its squared singular values, with W = LLᵀ and B = BBᵀ of the means
    between_DN = torch.linalg.solve_triangular(factor_DD, (mean_ND - mean_ND.mean(0)).T, upper=False)
    covariance_DD = (between_DN @ between_DN.T / N).nan_to_num()
    rank = _rank(torch.linalg.eigvalsh(covariance_DD).clamp_min(0))
    return torch.where(failed == 0, rank, torch.nan)


def isotropy(z_ND: Tensor) -> Tensor:
    """IsoScore* without shrinkage (arXiv:2305.19358, section 3): 0 all variance on one line, 1 the same in all D.

    IsoScore's steps (arXiv:2108.07344, section 3) come to (P - 1) / (D - 1), where P, the participation ratio, is the
    squared sum of the covariance's eigenvalues over the sum of their squares. Of N samples at most N - 1 directions are
    seen. 0 also where there is no variance.
    """
    N, D = z_ND.shape
    z_ND = z_ND - z_ND.mean(0)
    gram = z_ND.T @ z_ND if D < N else z_ND @ z_ND.T
    participation = gram.trace().square() / gram.square().sum().clamp_min(1e-30)
    return ((participation - 1) / max(1, D - 1)).clamp_min(0)


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


def false_negative_rate(labels_N: Tensor, ids_N: Tensor) -> float:
    """The share of pairs of different samples that are of one class, which losses without labels push apart.

    With n_c samples of class c it is the sum of n_c (n_c - 1) over N (N - 1), whatever batch they are drawn into: of K
    classes of one size 1 / K, less a little. How many of a sample's negatives are false grows with the batch, their
    share does not. Rows of one sample are no pair; 0 where there is none.
    """

    def pairs(keys_N: Tensor) -> int:
        counts = keys_N.unique(return_counts=True)[1]
        return int((counts * (counts - 1)).sum())

    repeated, N = pairs(ids_N), len(labels_N)
    return (pairs(labels_N) - repeated) / max(1, N * (N - 1) - repeated)


def diagnose(z_VND: Tensor, modalities: Sequence[str] = (), present_VN: Tensor | None = None) -> dict[str, float]:
    """All of them, for a batch of projections; waits for the device once.

    What needs two samples, or two views, is left out where there is one; LiDAR where the width is too large for it.

    Args:
        z_VND: The projections.
        modalities: Of each view; of several, each pair has its gap, alignment and uniformity: ``alignment/image-text``.
        present_VN: Whether a sample has the view's modality; rows of those that do not are left out. Absent: all have.
    """
    values: dict[str, Tensor] = {}
    first = z_VND[0] if present_VN is None else z_VND[0][present_VN[0]]
    if len(first) >= 2:
        values |= {"spread": spread(first), "effective_rank": effective_rank(first), "uniformity": uniformity(first)}
        values["negative_similarity"] = negative_similarity(first)
    whole_VND = z_VND if present_VN is None else z_VND[:, present_VN.all(0)]
    V, N, D = whole_VND.shape
    if V >= 2 and N:
        values |= {"alignment": alignment(whole_VND), "positive_similarity": positive_similarity(whole_VND)}
        if N * (V - 1) >= D > 1:
            values["lidar"] = lidar(whole_VND).to(z_VND)
    values |= _between_modalities(z_VND, modalities, present_VN)
    if not values:
        return {}
    return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def _between_modalities(
    z_VND: Tensor, modalities: Sequence[str], present_VN: Tensor | None = None
) -> dict[str, Tensor]:
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
            ("alignment", alignment(torch.stack((x_ND, y_ND)))),
            ("uniformity", cross_uniformity(x_ND, y_ND)),
        ):
            found[f"{name}/{one}-{other}"] = value
    return found
