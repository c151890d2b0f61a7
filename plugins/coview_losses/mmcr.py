"""MMCR: the centroids of samples' views are to fill space, which aligns views and spreads samples at once.

Yerxa et al. 2023 (arXiv:2303.03307, equation 2). With c_n the mean of a sample's normalised views, C the matrix of
all centroids, Z_n that of one sample's views, and |.|_* the nuclear norm, the sum of singular values,

    loss = -|C|_*  +  lambda · mean over n of |Z_n|_*

A centroid is of a student's view and the target branch's views of other numbers; without a teacher that is all views.
The singular values are of the whole batch, which every process computes.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import refuse_one_teacher_view


def manifold_capacity(rows_MND: Tensor, lambda_: float) -> Tensor:
    """The loss of M rows for each of N samples."""
    centroids: Tensor = torch.linalg.svdvals(rows_MND.mean(0)).sum()
    if lambda_ == 0:
        return -centroids
    spread: Tensor = torch.linalg.svdvals(rows_MND.transpose(0, 1)).sum(-1).mean()
    return -centroids + lambda_ * spread


class MMCR(nn.Module):
    """Negative nuclear norm of the centroids, plus that of each sample's views.

    Args:
        lambda_: Weight of the nuclear norm of a sample's own views, 0 to 1; the paper's is 0, as the first term
            shrinks it too.
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
            if not views.has_teacher:
                return manifold_capacity(student_VND, self.lambda_)
            teacher_GND = unit_rows(views.teacher)
            losses = []
            for view, own_ND in enumerate(student_VND):
                others = [own_ND, *(z_ND for g, z_ND in enumerate(teacher_GND) if g != view)]
                losses.append(manifold_capacity(torch.stack(others), self.lambda_))
            return torch.stack(losses).mean()
