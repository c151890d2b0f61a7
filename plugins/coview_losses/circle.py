"""Circle loss: each similarity is pushed harder the farther it is from its goal.

Sun et al. 2020 (arXiv:2002.10857), with s the cosine similarity to the anchor's positives p and
negatives n:

    loss(i) = log(1 + sum over n of exp(gamma a_n (s_n - m)) sum over p of exp(-gamma a_p (s_p - 1 + m)))
    a_p = max(0, 1 + m - s_p),   a_n = max(0, s_n + m),   both without gradient

An anchor without negatives has loss 0. pytorch-metric-learning averages over the anchors whose loss is not 0; here it
is over all.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

import coview
from coview_losses.positives_and_negatives import Similarities, log_sum_exp


def circle(cosines: Similarities, margin: float, gamma: float) -> Tensor:
    """The mean loss of the anchors' rows.

    Args:
        cosines: Not divided by any temperature.
        margin: m.
        gamma: The scale.

    Returns:
        A scalar.
    """
    own_VAG, candidates_VAK = cosines.own_VAG, cosines.candidates_VAK
    pull_VAG = (1 + margin - own_VAG.detach()).relu() * (1 - margin - own_VAG)
    push_VAK = (candidates_VAK.detach() + margin).relu() * (candidates_VAK - margin)
    is_positive_VAG = cosines.is_positive_VG[:, None].expand_as(own_VAG)
    pull_VA = log_sum_exp(gamma * pull_VAG, is_positive_VAG)
    push_VA = cosines.log_sum_exp_over_negatives(gamma * push_VAK)
    has_negatives_A = cosines.is_negative_AK.any(-1)
    # softplus(-inf) has a gradient of 0, yet the sum that is -inf must not reach it
    logit_VA = torch.where(has_negatives_A, pull_VA + push_VA, 0)
    return torch.where(has_negatives_A, nn.functional.softplus(logit_VA), 0).mean()


class Circle(nn.Module):
    """Log of one plus the products of all positives' and all negatives' exponentials, weighted by their distance.

    Args:
        margin: m, 0 to below 1: how far from 1 and from 0 similarities may stay. The paper's is 0.25 for faces and
            persons, 0.4 for fine-grained retrieval.
        gamma: Scale; above 0 and at most 1024. The paper's is 256 for faces, 128 for persons, 80 for fine-grained
            retrieval.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = (
        "margin",
        "gamma",
    )

    def __init__(
        self,
        *,
        margin: Annotated[float, Ge(0), Lt(1)] = 0.25,
        gamma: Annotated[float, Gt(0), Le(1024)] = 256.0,
    ) -> None:
        super().__init__()
        self.margin = margin
        self.gamma = gamma

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return circle(Similarities.of(views, loss="circle"), self.margin, self.gamma)
