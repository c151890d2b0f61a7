"""VICReg: views agree (invariance), every dimension varies (variance), no two vary together (covariance).

Bardes et al. 2022 (arXiv:2105.04906). With s the mean squared distance of two views,
v = mean over d of max(0, 1 - sqrt(var_d + eps)), and c = 1/D · sum over i ≠ j of cov_ij²,

    loss = lambda · s(z, z') + mu · (v(z) + v(z')) / 2 + nu · (c(z) + c(z'))

This is the authors' code (facebookresearch/vicreg), and lightly's. It is not the paper to the letter: the distance s is
the mean over all N · D numbers, where the paper's is the mean over samples of a sum over dimensions, D times that; and
the variance term is halved. The weights 25, 25 and 1 are those of the code.

Variances and covariances are of the whole batch, divided by N - 1, and of the student's views; with V views v is their
mean and c twice their mean, and s the mean over the pairs. For N < D the covariances are summed by the Gram matrix.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.batch_statistics import covariance_energy
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import refuse_one_teacher_view, unordered_view_pairs

EPS = 1e-4
"""Within the root, as in the authors' code."""

Weight = Annotated[float, Ge(0), Le(1000)]


def variance_and_covariance(z_ND: Tensor) -> tuple[Tensor, Tensor]:
    """v and c of one view."""
    N, D = z_ND.shape
    centred_ND = z_ND - z_ND.mean(0)
    variance_D = centred_ND.square().sum(0) / max(1, N - 1)
    off_diagonal = covariance_energy(centred_ND, centred_ND) / max(1, N - 1) ** 2 - variance_D.square().sum()
    return torch.relu(1 - (variance_D + EPS).sqrt()).mean(), off_diagonal / D


class VICReg(nn.Module):
    """Weighted sum of invariance, variance and covariance.

    Args:
        invariance: lambda, 0 to 1000; the paper's is 25.
        variance: mu, 0 to 1000; the paper's is 25.
        covariance: nu, 0 to 1000; the paper's is 1.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = (
        "invariance",
        "variance",
        "covariance",
    )

    def __init__(self, *, invariance: Weight = 25.0, variance: Weight = 25.0, covariance: Weight = 1.0) -> None:
        super().__init__()
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the whole batch, and its terms."""
        refuse_one_teacher_view("vicreg", views.teacher)
        with no_autocast(views.student.device):
            student_VND, teacher_GND = in_full_precision(views.student), in_full_precision(views.teacher)
            distances = [(student_VND[v] - teacher_GND[g]).square().mean() for v, g in unordered_view_pairs(views)]
            statistics = [variance_and_covariance(z_ND) for z_ND in student_VND]
            invariance = torch.stack(distances).mean()
            variance = torch.stack([variance for variance, _ in statistics]).mean()
            covariance = 2 * torch.stack([covariance for _, covariance in statistics]).mean()
        return {
            "loss": self.invariance * invariance + self.variance * variance + self.covariance * covariance,
            "invariance": invariance.detach(),
            "variance": variance.detach(),
            "covariance": covariance.detach(),
        }
