"""ReSSL: a view is to be as like to other samples as the target's view of it is. No sample is a negative.

Zheng et al. 2021 (arXiv:2107.09282; KyleZheng1997/ReSSL). With k the target's unit row of one view, q the student's of
another, and the rows u of the queue,

    loss = -mean of  sum over u of softmax(k · u / Tt)_u · log softmax(q · u / Ts)_u

The target's distribution is the sharper one, and carries no gradient. What makes the method are views of two kinds: the
student's view 0 by strong augmentation, the target's view 1 by a crop and a flip alone, of which the queue is made too:
``[queue]`` with ``views = [1]``.

A row of the queue that is of the anchor's own sample is left out. The authors' queue begins with random rows; this one
begins empty, and while it is, the target's rows of the other samples in the batch stand in for it.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import queue_ids_of, refuse_one_teacher_view, view_pairs

Temperature = Annotated[float, Ge(0.01), Le(1)]


def relational_cross_entropy(student_AK: Tensor, teacher_AK: Tensor, is_other_AK: Tensor) -> Tensor:
    """The mean cross-entropy of the teacher's relations and the student's; 0 for an anchor that has none.

    Args:
        student_AK: Similarities to K rows, divided by the temperature.
        teacher_AK: The same of the target, without gradient.
        is_other_AK: Which of the rows count.
    """
    has_any_A1 = is_other_AK.any(-1, keepdim=True)

    def only_others(x_AK: Tensor) -> Tensor:
        return x_AK.masked_fill(~is_other_AK, -torch.inf).masked_fill(~has_any_A1, 0)

    # where nothing counts the share is 0, and the logarithm of the student's not finite
    log_share_AK = only_others(student_AK).log_softmax(-1).masked_fill(~is_other_AK, 0)
    return -(only_others(teacher_AK).softmax(-1) * log_share_AK).sum(-1).mean()


class ReSSL(nn.Module):
    """Cross-entropy of a view's similarities to the queue against those of the target's other view.

    Args:
        student_temperature: Ts, 0.01 to 1; the paper's is 0.1.
        teacher_temperature: Tt, 0.01 to 1; the paper's is 0.04.
        symmetric: Whether every view is compared with every other of the target, or only view 0, as in the paper.
    """

    needs = coview.Needs(views=2, teacher=True, queue="required", local_views=True, smallest_batch=2)
    read_each_step = (
        "student_temperature",
        "teacher_temperature",
    )

    def __init__(
        self,
        *,
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.04,
        symmetric: bool = False,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.symmetric = symmetric

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns.  A anchor · K row of the queue, or of the batch."""
        refuse_one_teacher_view("ressl", views.teacher)
        with no_autocast(views.student.device):
            student_VAD = unit_rows(views.student[:, views.anchors])
            teacher_GND = unit_rows(views.teacher.detach())
            losses = []
            for view, other in view_pairs(len(student_VAD) if self.symmetric else 1, len(teacher_GND)):
                rows_KD, ids_K = self._related(views, teacher_GND[other])
                student_AK = student_VAD[view] @ rows_KD.T / self.student_temperature
                teacher_AK = teacher_GND[other, views.anchors] @ rows_KD.T / self.teacher_temperature
                is_other_AK = views.ids[views.anchors, None] != ids_K
                losses.append(relational_cross_entropy(student_AK, teacher_AK, is_other_AK))
            return torch.stack(losses).mean()

    def _related(self, views: coview.Views, teacher_ND: Tensor) -> tuple[Tensor, Tensor]:
        """The rows that relations are to, with their sample ids."""
        queue_ids_Q = queue_ids_of(views.queue, views.queue_ids)
        if views.queue is None or queue_ids_Q is None:
            raise ValueError("ressl needs a queue")
        if len(views.queue) == 0:
            return teacher_ND, views.ids
        return unit_rows(views.queue), queue_ids_Q
