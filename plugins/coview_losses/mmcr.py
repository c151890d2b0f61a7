"""MMCR: the centroids of samples' views are to fill space, which aligns views and spreads samples at once.

Yerxa et al. 2023 (arXiv:2303.03307). With c_n the mean of a sample's normalised views, C the matrix of all centroids,
Z_n that of one sample's views, and |.|_* the nuclear norm, the sum of singular values,

    loss = -|C|_*  +  lambda · mean over n of |Z_n|_*

With a teacher it is the momentum form of the authors' code (ThomasYerxa/mmcr, ``loss_mmcr_momentum.py``): a centroid is
the mean of the two branches' means, Z_n has the student's views alone. In the code both branches see the same views;
here the student may see local ones besides. lightly's Z_n has the teacher's views, too. No pair of views of one number
is left out: what agrees is all rows of a sample, through their mean. The singular values are of the whole batch, which
every process computes.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import refuse_one_teacher_view


def nuclear_norms(matrices: Tensor) -> Tensor:
    """The sum of singular values of each matrix, ``(..., N, D)`` to ``(...)``."""
    summed: Tensor = torch.linalg.svdvals(matrices).sum(-1)
    return summed


class MMCR(nn.Module):
    """Negative nuclear norm of the centroids, plus that of each sample's views.

    Args:
        lambda_: Weight of the nuclear norm of a sample's own views, 0 to 1; the authors' for ImageNet is 0, as the
            first term shrinks it too.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = ("lambda_",)

    def __init__(self, *, lambda_: Annotated[float, Ge(0), Le(1)] = 0.0) -> None:
        super().__init__()
        self.lambda_ = lambda_

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        refuse_one_teacher_view("mmcr", views.teacher)
        with no_autocast(views.student.device):
            student_VND = unit_rows(views.student)
            centroids_ND = student_VND.mean(0)
            if views.has_teacher:
                centroids_ND = (centroids_ND + unit_rows(views.teacher).mean(0)) / 2
            loss = -nuclear_norms(centroids_ND)
            if self.lambda_:
                loss = loss + self.lambda_ * nuclear_norms(student_VND.transpose(0, 1)).mean()
            return loss
