"""Triplet loss: an anchor's positive has to be nearer than its negative by a margin.

With d the distance, a the anchor, p a positive (the teacher's view of another number of the same sample), n a negative
(any teacher view of a sample of another id):

    loss(a, p, n) = max(0, d(a, p) - d(a, n) + margin),    or with a soft margin  log(1 + exp(d(a, p) - d(a, n)))

Which triplets count is the miner's choice, for each anchor; the loss is the mean over anchors.

- ``views``: the data says it. View 0 is the anchor, view 1 the positive, view 2 the negative (arXiv:1412.6622): one
  that a recipe calls "negative" is made of the samples' hard negatives.
- ``all``: every one, averaged; most are zero late in training (arXiv:1703.07737, "batch all").
- ``semi_hard``: for each positive the nearest negative that is farther than it; where there is none, the farthest
  negative (arXiv:1503.03832).
- ``hard``: the farthest positive and the nearest negative (arXiv:1703.07737, "batch hard").

The last two find their negatives a block of rows at a time, in ``hardest_negatives.py``, and differentiate only the
distances that they chose: memory is linear in the batch. FaceNet squares distances on the unit sphere: that is twice
``cosine``, so that its margin of 0.2 is 0.1 here. pytorch-metric-learning by default averages over the triplets that
are not 0; here it is over all. An anchor without negatives has loss 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast, unit_rows
from coview_losses.hardest_negatives import nearest_beyond, nearest_negative
from coview_losses.positives_and_negatives import has_other_id, refuse_one_teacher_view

Distance = Literal["euclidean", "cosine"]
Mining = Literal["views", "all", "semi_hard", "hard"]


def pairwise(x: Tensor, y: Tensor, distance: Distance) -> Tensor:
    """Distances of rows, with broadcasting; 1 minus the inner product if cosine, for which rows are unit rows."""
    if distance == "cosine":
        return 1 - (x * y).sum(-1)
    length: Tensor = torch.linalg.vector_norm(x - y, dim=-1)  # its gradient at 0 is 0
    return length


def hinge(gap: Tensor, margin: float | Literal["soft"]) -> Tensor:
    """The loss of a triplet from ``d(a, p) - d(a, n)``."""
    return nn.functional.softplus(gap) if margin == "soft" else (gap + margin).relu()


def triplet(views: coview.Views, mining: Mining, margin: float | Literal["soft"], distance: Distance) -> Tensor:
    """The mean loss of the anchors' rows.  V view · A anchor · G teacher view · N sample · D width.

    Args:
        views: Anchors are the student's, positives and negatives the teacher's.
        mining: Which triplets count.
        margin: By how much, or "soft".
        distance: Of two rows.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views, or fewer than three if the views say the triplet.
    """
    if mining == "views" and views.teacher.shape[0] < 3:
        raise ValueError(
            f'triplet with mining = "views" needs 3 views (anchor, positive, negative), got {views.teacher.shape[0]}'
        )
    refuse_one_teacher_view("triplet", views.teacher)
    prepared = unit_rows if distance == "cosine" else in_full_precision
    with no_autocast(views.student.device):
        anchors_VAD = prepared(views.student[:, views.anchors])
        teacher_GND = prepared(views.teacher)
        own_GAD = teacher_GND[:, views.anchors]
        if mining == "views":
            to_positive_A, to_negative_A = (pairwise(anchors_VAD[0], own_GAD[g], distance) for g in (1, 2))
            return hinge(to_positive_A - to_negative_A, margin).mean()

        positive_VAG = pairwise(anchors_VAD[:, :, None], own_GAD.transpose(0, 1), distance)
        V, _, G = positive_VAG.shape
        same_view_V1G = torch.eye(V, G, dtype=torch.bool, device=positive_VAG.device)[:, None]
        no_negatives = (views.ids == views.ids[0]).all()
        if mining == "all":
            loss_VAG = _mean_over_negatives(anchors_VAD, teacher_GND, positive_VAG, views, margin, distance)
        elif mining == "semi_hard":
            negative_VAGD = nearest_beyond(anchors_VAD, teacher_GND, views.ids, views.anchors, distance)
            gap_VAG = positive_VAG - pairwise(anchors_VAD[:, :, None], negative_VAGD, distance)
            loss_VAG = hinge(gap_VAG, margin).masked_fill(no_negatives, 0)
        else:
            negative_VAD = nearest_negative(anchors_VAD, teacher_GND, views.ids, views.anchors, distance)
            farthest_VA = positive_VAG.masked_fill(same_view_V1G, -torch.inf).amax(-1)
            gap_VA = farthest_VA - pairwise(anchors_VAD, negative_VAD, distance)
            return hinge(gap_VA, margin).masked_fill(no_negatives, 0).mean()
        mean_VA = loss_VAG.masked_fill(same_view_V1G, 0).sum(-1) / (~same_view_V1G).sum(-1)
        return mean_VA.mean()


def _mean_over_negatives(
    anchors_VAD: Tensor,
    teacher_GND: Tensor,
    positive_VAG: Tensor,
    views: coview.Views,
    margin: float | Literal["soft"],
    distance: Distance,
) -> Tensor:
    """``(V, A, G)``: each positive's mean loss over all negatives."""
    is_negative_AK = has_other_id(views.ids, views.anchors, views=len(teacher_GND))
    negatives_A = is_negative_AK.sum(-1).clamp(min=1)
    teacher_KD = teacher_GND.flatten(0, 1)
    losses = []
    for anchors_AD, positive_AG in zip(anchors_VAD, positive_VAG, strict=True):
        if distance == "cosine":
            to_all_AK = 1 - anchors_AD @ teacher_KD.T
        else:
            to_all_AK = torch.cdist(anchors_AD, teacher_KD)
        losses += [
            (hinge(positive_A[:, None] - to_all_AK, margin) * is_negative_AK).sum(-1) / negatives_A
            for positive_A in positive_AG.T
        ]
    loss_VGA: Tensor = torch.stack(losses).unflatten(0, positive_VAG.shape[::2])
    return loss_VGA.transpose(1, 2)


class Triplet(nn.Module):
    """The nearer of two should be the sample's own.

    Args:
        mining: Which triplets count: those that three views give, all in the batch, semi-hard or the hardest ones.
        margin: By how much the positive has to be nearer, 0 to 10, or "soft" for log(1 + exp(…)). FaceNet's is 0.2
            of squared distances; the paper of batch hard found "soft" best.
        distance: Euclidean, of rows as they are, or cosine, which is 1 minus the cosine similarity.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)

    def __init__(
        self,
        *,
        mining: Mining = "hard",
        margin: Annotated[float, Ge(0), Le(10)] | Literal["soft"] = "soft",
        distance: Distance = "euclidean",
    ) -> None:
        super().__init__()
        self.mining: Mining = mining
        self.margin: float | Literal["soft"] = margin
        self.distance: Distance = distance
        if mining == "views":
            self.needs = coview.Needs(views=3, most_views=3, smallest_batch=1, negatives="view", rows="own")

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return triplet(views, self.mining, self.margin, self.distance)
