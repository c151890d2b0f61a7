"""W-MSE: views agree after the batch has been whitened, which leaves no room for collapse.

Ermolov et al. 2021 (arXiv:2007.06346). Each view is centred and multiplied by the inverse Cholesky
factor of its covariance, then normalised; the loss is the mean squared distance of a sample's views:

    loss = mean over pairs of views of |v - v'|² = 2 - 2 cos(v, v')

The batch is whitened whole; the paper's and lightly's slices of it are a way to whiten several times. The covariance
is shrunk towards the identity by ``eps``, as in the authors' code, which is what makes it invertible where the batch
is no larger than the width.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast, unit_rows
from coview_losses.positives_and_negatives import refuse_one_teacher_view, unordered_view_pairs


def whitened(z_ND: Tensor, eps: float) -> Tensor:
    """Mean 0 and covariance (1 - eps) C + eps I whitened to I, by the inverse of its Cholesky factor."""
    N, D = z_ND.shape
    centred_ND = z_ND - z_ND.mean(0)
    covariance_DD = centred_ND.T @ centred_ND / max(1, N - 1)
    shrunk_DD = (1 - eps) * covariance_DD + eps * torch.eye(D, dtype=z_ND.dtype, device=z_ND.device)
    factor_DD = torch.linalg.cholesky(shrunk_DD)
    result: Tensor = torch.linalg.solve_triangular(factor_DD, centred_ND.T, upper=False).T
    return result


class WMSE(nn.Module):
    """Mean squared distance of a sample's whitened and normalised views.

    Args:
        eps: Share of the identity in the covariance, 0.001 to 0.5; the paper's is 0, for batches of at least twice
            the width.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = ("eps",)

    def __init__(self, *, eps: Annotated[float, Ge(0.001), Le(0.5)] = 0.01) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        refuse_one_teacher_view("w_mse", views.teacher)
        with no_autocast(views.student.device):
            student = [unit_rows(whitened(in_full_precision(z_ND), self.eps)) for z_ND in views.student]
            teacher = student[: len(views.teacher)]
            if views.has_teacher:
                teacher = [unit_rows(whitened(in_full_precision(z_ND), self.eps)) for z_ND in views.teacher]
            distances = [2 - 2 * (student[v] * teacher[g]).sum(-1).mean() for v, g in unordered_view_pairs(views)]
            return torch.stack(distances).mean()
