"""W-MSE: views agree after the batch has been whitened, which leaves no room for collapse.

Ermolov et al. 2021 (arXiv:2007.06346). Each view is centred and multiplied by the inverse Cholesky
factor of its covariance, then normalised; the loss is the mean squared distance of a sample's views:

    loss = mean over pairs of views of |v - v'|² = 2 - 2 cos(v, v')

The batch is whitened whole, or ``at_a_time`` samples at a time, as in the authors' code. There these are drawn at
random; here they are neighbours in the batch, which has been drawn at random already. The covariance is shrunk towards
the identity by ``eps``, as in the authors' code, which makes it invertible where there are no more samples than
dimensions.
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


def whitened_in_parts(z_ND: Tensor, eps: float, at_a_time: int | None) -> Tensor:
    """Each part whitened by itself: as many as there are of at least ``at_a_time`` rows."""
    if at_a_time is None:
        return whitened(z_ND, eps)
    return torch.cat([whitened(part_ND, eps) for part_ND in z_ND.tensor_split(max(1, len(z_ND) // at_a_time))])


class WMSE(nn.Module):
    """Mean squared distance of a sample's whitened and normalised views.

    Args:
        eps: Share of the identity in the covariance, 0.001 to 0.5; the paper's is 0, for batches of at least twice
            the width.
        at_a_time: Samples that are whitened together, at least 2: the batch is split into as many parts of at least
            this size as possible; the authors' is 128 of 512 for a width of 64. Absent: all.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = ("eps",)

    def __init__(
        self,
        *,
        eps: Annotated[float, Ge(0.001), Le(0.5)] = 0.01,
        at_a_time: Annotated[int, Ge(2)] | None = None,
    ) -> None:
        super().__init__()
        self.eps, self.at_a_time = eps, at_a_time

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        refuse_one_teacher_view("w_mse", views.teacher)
        with no_autocast(views.student.device):
            student = [self._unit(z_ND) for z_ND in views.student]
            teacher = student[: len(views.teacher)]
            if views.has_teacher:
                teacher = [self._unit(z_ND) for z_ND in views.teacher]
            distances = [2 - 2 * (student[v] * teacher[g]).sum(-1).mean() for v, g in unordered_view_pairs(views)]
            return torch.stack(distances).mean()

    def _unit(self, z_ND: Tensor) -> Tensor:
        return unit_rows(whitened_in_parts(in_full_precision(z_ND), self.eps, self.at_a_time))
