"""Negative cosine similarity of predictions and the target branch's projections: BYOL's and SimSiam's loss.

There are no negatives: that it does not collapse is owed to the predictor and to the target branch, without gradient.
Chen and He 2021 (arXiv:2011.10566), over all pairs of views of different numbers:

    loss = -mean of p · z / (|p| |z|)

BYOL's squared distance of unit vectors (arXiv:2006.07733) is 2 + 2 times this.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import refuse_one_teacher_view, view_pairs


class NegativeCosine(nn.Module):
    """Negative cosine similarity of each prediction and the target's other views."""

    needs = coview.Needs(views=2, teacher=True, predictor=True, local_views=True, smallest_batch=1, rows="own")

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        refuse_one_teacher_view("negative_cosine", views.teacher)
        with no_autocast(views.student.device):
            student_VND, teacher_GND = unit_rows(views.student), unit_rows(views.teacher)
            pairs = view_pairs(len(student_VND), len(teacher_GND))
            return -torch.stack([(student_VND[v] * teacher_GND[g]).sum(-1).mean() for v, g in pairs]).mean()
