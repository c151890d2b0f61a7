"""N-pair loss: InfoNCE on inner products, without temperature, with short rows by a penalty instead of unit rows.

Sohn 2016 ("Improved deep metric learning with multi-class N-pair loss objective", NeurIPS):

    loss(i) = log(1 + sum over j != i of exp(f_i . g_j - f_i . g_i)),      f of one view, g of another

plus a penalty on the rows' lengths, l2 times the mean of |f|^2 over the student's rows. Averaged over all pairs of
views of different numbers, where the paper has one direction. pytorch-metric-learning's NPairsLoss is one direction,
without the penalty, and by default on unit rows, which the paper rules out.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision
from coview_losses.positives_and_negatives import cross_entropy_between_views, refuse_one_teacher_view


def n_pair(views: coview.Views, l2: float) -> Tensor:
    """The mean loss of the anchors' rows.

    Args:
        views: Anchors are the student's, candidates the teacher's.
        l2: Weight of the mean squared length.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    refuse_one_teacher_view("n_pair", views.teacher)
    anchors_VAD = in_full_precision(views.student[:, views.anchors])
    teacher_GND = in_full_precision(views.teacher)
    contrast = cross_entropy_between_views(
        anchors_VAD, teacher_GND, views.ids, anchors=views.anchors, ids_differ=views.ids_differ
    )
    return contrast + l2 * anchors_VAD.square().sum(-1).mean()


class NPair(nn.Module):
    """Cross-entropy of a sample's other view by inner products.

    Args:
        l2: Weight of the rows' mean squared length, 0 to 10. The paper has such a term and gives no number; 0.001
            is what the ``reg_lambda = 0.002`` of TF-Slim's npairs_loss is equal to.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)

    def __init__(self, *, l2: Annotated[float, Ge(0), Le(10)] = 0.001) -> None:
        super().__init__()
        self.l2 = l2

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return n_pair(views, self.l2)
