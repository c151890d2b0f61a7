"""InfoNCE in one direction with a learnt bilinear similarity, as COLA has it.

Saeed et al. 2020 (arXiv:2010.10915): view 0 of a sample is looked for among the other view of all samples, by
s(x, y) = x^T W y in place of a cosine, without a temperature. With a_i row i of view 0 and p_j row j of the other view,

    loss(i) = -log  exp(s(a_i, p_i)) / sum over j of exp(s(a_i, p_j))

Projections are as long as they are: COLA's end in a tanh (``linear_tanh`` with ``layer_norm = true``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import cross_entropy_between_views, refuse_one_teacher_view

_SPREAD = 0.05
"""Of the first weights: Keras's "random_normal", which the authors' code takes."""


class BilinearInfoNCE(nn.Module):
    """Cross-entropy of a sample's other view among the other views of all samples, by a bilinear similarity that is
    learnt. Samples of equal id are not negatives of each other.
    """

    needs = coview.Needs(views=2, smallest_batch=2)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.similarity_DD = nn.Parameter(torch.randn(width, width) * _SPREAD)

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns, in fp32, or in fp64 if the projections are."""
        refuse_one_teacher_view("bilinear_info_nce", views.teacher)
        anchors_VAD = in_full_precision(views.student[:, views.anchors])
        with no_autocast(views.student.device):
            return cross_entropy_between_views(
                anchors_VAD @ self.similarity_DD.to(anchors_VAD.dtype),
                in_full_precision(views.teacher),
                views.ids,
                anchors=views.anchors,
                symmetric=False,
                ids_differ=views.ids_differ,
            )
