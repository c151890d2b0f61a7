"""SigLIP's loss: each pair of rows is a yes-or-no question of its own, without a softmax over the batch.

Zhai et al. 2023 (arXiv:2303.15343, section 3.2): between two views, with s the cosine similarity and y = 1 where
both rows are of one sample, -1 where they are not,

    loss = -1/N  sum over i, j of log sigmoid(y_ij (t s_ij + b)),      t = exp(log_scale) and b learnable

A row's negatives are N - 1 to one positive, hence b = -10 to begin with. The pairs of views are averaged.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.own_scale import came_with
from coview_losses.positives_and_negatives import (
    between_views,
    has_other_id,
    queue_beside,
    queue_ids_of,
    refuse_one_teacher_view,
)


def siglip(views: coview.Views, scale: Tensor, bias: Tensor) -> Tensor:
    """The mean over the anchors' rows of the sum over all candidates.  A anchor · K candidate.

    Args:
        views: Anchors are the student's, candidates the teacher's and the queue's.
        scale: t.
        bias: b.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    refuse_one_teacher_view("siglip", views.teacher)
    device = views.student.device
    queue_ids_Q = queue_ids_of(views.queue, views.queue_ids)
    is_negative_AK = has_other_id(views.ids, views.anchors, views=1, queue_ids_Q=queue_ids_Q)
    own_A1 = torch.arange(len(views.ids), device=device)[views.anchors][:, None]
    with no_autocast(device):
        anchors_VAD = scale * unit_rows(views.student[:, views.anchors])
        queue_QD = None if views.queue is None else unit_rows(views.queue)
        losses = []
        beside_GQ = queue_beside(views)
        for product_AK in between_views(anchors_VAD, unit_rows(views.teacher), queue_QD, beside_GQ=beside_GQ):
            logits_AK = product_AK + bias
            positive_A = nn.functional.softplus(-logits_AK.gather(1, own_A1))[:, 0]
            negative_A = nn.functional.softplus(logits_AK).masked_fill(~is_negative_AK, 0).sum(-1)
            losses.append((positive_A + negative_A).mean())
    return torch.stack(losses).mean()


class SigLIP(nn.Module):
    """Sigmoid loss of every pair of rows across views, with learnable scale and bias.

    Args:
        scale: What multiplies the cosine similarities at first, 0.1 to 100; the paper's is 10. "own": the scale that
            the pretrained encoders came with, such as those of hf-clip:NAME.
        bias: What is added to them at first, -100 to 100; the paper's is -10. "own": the bias that they came with.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")

    def __init__(
        self,
        *,
        scale: Annotated[float, Ge(0.1), Le(100)] | Literal["own"] = 10.0,
        bias: Annotated[float, Ge(-100), Le(100)] | Literal["own"] = -10.0,
        own_scale: coview.LogitScale | None = None,
    ) -> None:
        super().__init__()
        first = came_with("scale", own_scale).scale if scale == "own" else scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(first)))
        added = came_with("bias", own_scale).bias if bias == "own" else bias
        self.bias = nn.Parameter(torch.tensor(float(added)))

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the rows that this process owns, and the scale and bias that it was taken at."""
        scale = self.log_scale.exp()
        # a copy: the step changes the parameter before it is logged
        bias = self.bias.detach().clone()
        return {"loss": siglip(views, scale, self.bias), "scale": scale.detach(), "bias": bias}
