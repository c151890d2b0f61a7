"""Barlow Twins: the cross-correlation of two views' dimensions has to be the identity.

Zbontar et al. 2021 (arXiv:2103.03230). With every dimension standardised over the batch,

    C_ij = 1/N sum over b of z_bi z'_bj,        loss = sum over i of (1 - C_ii)² + lambda · sum over i ≠ j of C_ij²

The sum of all C_ij² is also that of the products of the views' N × N Gram matrices, element by element, which costs
less where the batch is smaller than half the width. The statistics are of the whole batch, which every process
computes. Averaged over the pairs of views of different numbers.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.batch_statistics import covariance_energy, gram_costs_less, squared_distance, standardised
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import mean_of, refuse_one_teacher_view, unordered_view_pairs


def barlow_twins(a_ND: Tensor, b_ND: Tensor, lambda_: float) -> Tensor:
    """The loss of two standardised views.  N sample · D width."""
    N, D = a_ND.shape
    if gram_costs_less(N, D, gram_matrices=2):
        diagonal_D, energy = (a_ND * b_ND).sum(0), covariance_energy(a_ND, b_ND)
    else:
        products_DD = a_ND.T @ b_ND
        diagonal_D, energy = products_DD.diagonal(), squared_distance(products_DD, 0)
    off_diagonal = energy - squared_distance(diagonal_D, 0)
    return torch.add(squared_distance(diagonal_D, N), off_diagonal, alpha=lambda_) / N**2


class BarlowTwins(nn.Module):
    """Squared distance of the cross-correlation of two views from the identity.

    Args:
        lambda_: Weight of the elements off the diagonal, 0 to 1; the paper's is 0.005.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = ("lambda_",)

    def __init__(self, *, lambda_: Annotated[float, Ge(0), Le(1)] = 0.005) -> None:
        super().__init__()
        self.lambda_ = lambda_

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        refuse_one_teacher_view("barlow_twins", views.teacher)
        with no_autocast(views.student.device):
            student = [standardised(in_full_precision(z_ND)) for z_ND in views.student]
            teacher = student[: len(views.teacher)]
            if views.has_teacher:
                teacher = [standardised(in_full_precision(z_ND)) for z_ND in views.teacher]
            pairs = unordered_view_pairs(views)
            return mean_of([barlow_twins(student[v], teacher[g], self.lambda_) for v, g in pairs])
