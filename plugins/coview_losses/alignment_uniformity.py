"""Alignment and uniformity: the two properties that a contrastive loss buys, each optimised by itself.

Wang and Isola 2020 (arXiv:2005.10242, section 4.1), on the unit sphere:

    alignment  = E over positive pairs of |x - y|^alpha
    uniformity = log E over pairs of different samples of exp(-t |x - y|^2), the mean over the views

Alignment is between the student's views and the teacher's of other numbers, uniformity within each of the student's
views. The logarithm is of a mean over the whole batch, so that every process computes the whole loss. Samples of
equal id are no pair; where no pair is left, uniformity is 0.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import has_other_id, refuse_one_teacher_view, view_pairs

Weight = Annotated[float, Ge(0), Le(1000)]


def alignment(student_VND: Tensor, teacher_GND: Tensor, alpha: float) -> Tensor:
    """Mean distance, to the power of alpha, of a sample's views of different numbers; rows are of unit length."""
    # the norm first: its gradient at 0 is 0, where that of a sum of squares to a power below 1 is infinite
    distances = [
        torch.linalg.vector_norm(student_VND[view] - teacher_GND[other], dim=-1)
        for view, other in view_pairs(len(student_VND), len(teacher_GND))
    ]
    return torch.stack(distances).pow(alpha).mean()


def uniformity(z_VND: Tensor, ids_N: Tensor, t: float) -> Tensor:
    """Logarithm of the mean Gaussian potential of different samples in a view; the mean over views."""
    is_pair_NN = has_other_id(ids_N, slice(None), views=1)
    pairs = is_pair_NN.sum()
    square_VN = z_VND.square().sum(-1)
    square_VNN = square_VN[:, :, None] + square_VN[:, None] - 2 * z_VND @ z_VND.transpose(1, 2)
    # all pairs of a batch without any: their mean is replaced, and has no gradient
    exponent_VNN = (-t * square_VNN).masked_fill(~(is_pair_NN | (pairs == 0)), -torch.inf)
    log_mean_V = exponent_VNN.flatten(1).logsumexp(-1) - pairs.clamp(min=1).to(z_VND.dtype).log()
    return torch.where(pairs > 0, log_mean_V.mean(), 0)


class AlignmentUniformity(nn.Module):
    """Weighted sum of the distance of positives and the log potential of all other pairs.

    Args:
        alpha: Exponent of the distance of positives, 1 to 4; the paper's is 2.
        t: Factor of the squared distance in the potential; above 0 and at most 100. The paper's is 2.
        alignment_weight: 0 to 1000; 1 in the authors' code.
        uniformity_weight: 0 to 1000; 1 in the authors' code.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = (
        "alpha",
        "t",
        "alignment_weight",
        "uniformity_weight",
    )

    def __init__(
        self,
        *,
        alpha: Annotated[float, Ge(1), Le(4)] = 2.0,
        t: Annotated[float, Gt(0), Le(100)] = 2.0,
        alignment_weight: Weight = 1.0,
        uniformity_weight: Weight = 1.0,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.t = t
        self.alignment_weight = alignment_weight
        self.uniformity_weight = uniformity_weight

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the whole batch, and both of its terms."""
        refuse_one_teacher_view("alignment_uniformity", views.teacher)
        with no_autocast(views.student.device):
            student_VND = unit_rows(views.student)
            aligned = alignment(student_VND, unit_rows(views.teacher), self.alpha)
            uniform = uniformity(student_VND, views.ids, self.t)
        loss = self.alignment_weight * aligned + self.uniformity_weight * uniform
        return {"loss": loss, "alignment": aligned.detach(), "uniformity": uniform.detach()}
