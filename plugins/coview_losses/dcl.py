"""Decoupled contrastive learning: NT-Xent whose denominator leaves the positive out.

In NT-Xent the positive stands in its own denominator, so that an easy positive shrinks the gradient of its negatives
too; without it small batches lose less (Yeh et al. 2021, arXiv:2110.06848):

    loss(i, j) = -w_ij s_ij / T + log sum over negatives k of exp(s_ik / T),      s the cosine similarity

Plain DCL has w = 1. DCLW has w_ij = 2 - exp(s_ij / sigma) / E[exp(s / sigma)], the mean over the batch's positive
pairs of the same two views: positives that agree less draw more.

The weights carry no gradient here and in lightly: they say how hard each positive draws, and are no aim of their own.
In raminnakhli/Decoupled-Contrastive-Learning, which lightly names as its source, they carry one, and DCLW's gradient
is another there, by 30 to 40 % on random rows: where a positive agrees more, the others weigh more too.

Unlike NT-Xent's, this loss can be negative, and it has no lower bound. An anchor without negatives has only its pull.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature, unit_rows
from coview_losses.positives_and_negatives import Similarities


def dcl(logits: Similarities, weight_VAG: Tensor | float = 1.0) -> Tensor:
    """The mean loss of the anchors' rows.

    Args:
        logits: Cosines divided by the temperature.
        weight_VAG: Of each positive.

    Returns:
        A scalar.
    """
    pull_VA = logits.mean_over_positives(weight_VAG * logits.own_VAG)
    push_VA = logits.log_sum_exp_over_negatives(logits.candidates_VAK)
    has_negatives_A = logits.is_negative_AK.any(-1)
    return (torch.where(has_negatives_A, push_VA, 0) - pull_VA).mean()


def von_mises_fisher_weights(student_VND: Tensor, teacher_GND: Tensor, sigma: float) -> Tensor:
    """DCLW's weight of each positive, ``(V, N, G)``, without gradient.

    Args:
        student_VND: All N samples, whatever the anchors: the mean of the weights is over the batch.
        teacher_GND: The other rows of the pairs.
        sigma: Divides the cosine.
    """
    with torch.no_grad():
        agreement_VNG = (unit_rows(student_VND)[:, :, None] * unit_rows(teacher_GND).transpose(0, 1)).sum(-1)
        return 2 - agreement_VNG.shape[1] * (agreement_VNG / sigma).softmax(dim=1)


class DCL(nn.Module):
    """Pull of a sample's other views, and log-sum-exp of all views of other samples.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.1 for ImageNet
            and 0.07 for CIFAR.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = ("temperature",)

    def __init__(self, *, temperature: Temperature = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return dcl(Similarities.of(views, self.temperature, loss="dcl"))
