"""SupCon: NT-Xent whose positives are all views of all samples of the anchor's class.

Khosla et al. 2020 (arXiv:2004.11362), the form with the mean outside the logarithm:

    loss(i) = -1 / |P(i)|  sum over p in P(i) of log  exp(s_ip / T) / sum over a in A(i) of exp(s_ia / T)

A(i) is every row but the anchor, P(i) those of its class, s the cosine similarity. The loss is the mean over the
anchors, where the paper has their sum. If every class has one sample, it is ``nt_xent``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature
from coview_losses.positives_and_negatives import Similarities, log_sum_exp


def sup_con(logits: Similarities, labels_N: Tensor) -> Tensor:
    """The mean loss of the anchors' rows.

    Args:
        logits: Cosines divided by the temperature, without a queue.
        labels_N: Of all samples.

    Returns:
        A scalar.
    """
    teacher_views = logits.own_VAG.shape[-1]
    is_own_V1G = logits.is_positive_VG[:, None]
    same_class_AN = labels_N[logits.anchor_A][:, None] == labels_N
    same_class_AK = same_class_AN.repeat(1, teacher_views) & logits.is_negative_AK  # of another sample, that is
    own_VA = logits.own_VAG.masked_fill(~is_own_V1G, 0).sum(-1)
    others_VA = logits.candidates_VAK.masked_fill(~same_class_AK, 0).sum(-1)
    positives_VA = is_own_V1G.sum(-1) + same_class_AK.sum(-1)
    denominator_VA = torch.logaddexp(
        log_sum_exp(logits.own_VAG, is_own_V1G.expand_as(logits.own_VAG)),
        logits.log_sum_exp_over_negatives(logits.candidates_VAK),
    )
    return (denominator_VA - (own_VA + others_VA) / positives_VA).mean()


class SupCon(nn.Module):
    """Cross-entropy of all views of the anchor's class among all views of all samples.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.1.
    """

    needs = coview.Needs(views=2, labels=True, local_views=True, smallest_batch=2)
    read_each_step = ("temperature",)

    def __init__(self, *, temperature: Temperature = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns.

        Raises:
            ValueError: If there are no labels.
        """
        if views.labels is None:
            raise ValueError("sup_con needs labels")
        return sup_con(Similarities.of(views, self.temperature, loss="sup_con"), views.labels)
