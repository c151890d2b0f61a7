"""TiCo: views agree, and stay away from the directions in which the batches so far have varied most.

Zhu et al. 2022 (arXiv:2206.10698). On unit rows, with C the moving average of the batch's covariance 1/N · z zᵀ over
steps, of which the newest share has a gradient,

    loss = 1 - mean of z · z'  +  rho · mean of zᵀ C z

C is the state of the loss: kept in checkpoints, and the same on every process, as each computes the whole batch's.

No code of the authors could be found. In that of others (lightly, sayannag/TiCo-pytorch) the student sees one view and
the target the other: C and the energy are of view 0 alone, which is what comes out here of one student's view. Of
several views they are of all, and the first term is the mean over the pairs: no view is preferred. The newest share of
C has a gradient in sayannag's, and none in lightly's.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import refuse_one_teacher_view, view_pairs


class TiCo(nn.Module):
    """Distance of views, plus the energy of each view along the covariance of the batches so far.

    Args:
        beta: Momentum of the covariance, from 0 to below 1; lightly gives 0.9 as the paper's.
        rho: Weight of the covariance term, 0 to 1000; lightly and sayannag give 8 as the paper's.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = (
        "beta",
        "rho",
    )
    covariance_DD: Tensor

    def __init__(
        self,
        width: int,
        *,
        beta: Annotated[float, Ge(0), Lt(1)] = 0.9,
        rho: Annotated[float, Ge(0), Le(1000)] = 8.0,
    ) -> None:
        super().__init__()
        self.beta = beta
        self.rho = rho
        self.register_buffer("covariance_DD", torch.zeros(width, width))

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch; the covariance moves on in training mode."""
        refuse_one_teacher_view("tico", views.teacher)
        with no_autocast(views.student.device):
            student_VND, teacher_GND = unit_rows(views.student), unit_rows(views.teacher)
            rows_KD = student_VND.flatten(0, 1)
            newest_DD = rows_KD.T @ rows_KD / len(rows_KD)
            covariance_DD = self.beta * self.covariance_DD.to(newest_DD.dtype) + (1 - self.beta) * newest_DD
            pairs = view_pairs(len(student_VND), len(teacher_GND))
            similarity = torch.stack([(student_VND[v] * teacher_GND[g]).sum(-1).mean() for v, g in pairs]).mean()
            energy = (rows_KD @ covariance_DD * rows_KD).sum(-1).mean()
            if self.training:
                self.covariance_DD.copy_(covariance_DD.detach())
            return 1 - similarity + self.rho * energy
