"""NNCLR: find the other view not of the sample itself, but of the row in the queue that is most like it.

Dwibedi et al. 2021 (arXiv:2104.14548): with NN(z) the row of the queue nearest to z by cosine
similarity, z of one view, from the target branch, and p of another, after the predictor where there is one,

    loss(i) = -log  exp(NN(z_i) . p_i / T) / sum over j of exp(NN(z_i) . p_j / T)

Averaged over all pairs of views of different numbers. A row of the queue that is of the anchor's own sample is no
neighbour; while the queue has no other, at the first step, the row itself stands in for its neighbour, which makes
the loss ``info_nce``. lightly hands the neighbours to its NT-Xent, whose negatives are other neighbours too: that is
not the paper's equation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, no_autocast, unit_rows
from coview_losses.positives_and_negatives import cross_entropy_between_views, queue_ids_of


def nearest_in_queue(rows_GAD: Tensor, ids_A: Tensor, queue_QD: Tensor, queue_ids_Q: Tensor) -> Tensor:
    """Each row's nearest in the queue by inner product; itself where the queue has no row of another id.

    Args:
        rows_GAD: Unit rows.
        ids_A: Their sample ids.
        queue_QD: Unit rows.
        queue_ids_Q: Their sample ids.
    """
    if len(queue_QD) == 0:
        return rows_GAD
    similarity_GAQ = (rows_GAD @ queue_QD.T).masked_fill(ids_A[:, None] == queue_ids_Q, -torch.inf)
    best_GA, nearest_GA = similarity_GAQ.max(-1)
    return torch.where(best_GA.isfinite()[..., None], queue_QD[nearest_GA], rows_GAD)


def nnclr(views: coview.Views, temperature: float) -> Tensor:
    """The mean loss of the anchors' rows.  G teacher view · A anchor · N sample · D width · Q queue.

    Args:
        views: With a queue.
        temperature: T, above 0.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there is no queue.
    """
    queue_ids_Q = queue_ids_of(views.queue, views.queue_ids)
    if views.queue is None or queue_ids_Q is None:
        raise ValueError("nnclr needs a queue")
    with no_autocast(views.student.device):
        neighbours_GAD = nearest_in_queue(
            unit_rows(views.teacher[:, views.anchors]), views.ids[views.anchors], unit_rows(views.queue), queue_ids_Q
        )
        return cross_entropy_between_views(
            neighbours_GAD / temperature,
            unit_rows(views.student),
            views.ids,
            anchors=views.anchors,
            ids_differ=views.ids_differ,
        )


class NNCLR(nn.Module):
    """Cross-entropy of a sample's view among all samples', for the nearest neighbour of its other view.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.1.
    """

    needs = coview.Needs(views=2, teacher=True, queue="required", local_views=True, smallest_batch=2)
    read_each_step = ("temperature",)

    def __init__(self, *, temperature: Temperature = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return nnclr(views, self.temperature)
