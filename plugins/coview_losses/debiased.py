"""Debiased contrastive loss: negatives corrected for those that are of the anchor's own class.

A negative drawn at random is of the anchor's class with probability tau_plus. Its expected share is subtracted, with
the positive as the estimate of what same-class rows look like (Chuang et al. 2020, arXiv:2007.00224):

    loss(i, j) = -log  exp(p) / (exp(p) + M g),      p = s_ij / T,  M negatives, s the cosine similarity
    g = max( (mean over negatives k of exp(s_ik / T) - tau_plus exp(p)) / (1 - tau_plus),  exp(-1 / T) )

Everything is in logarithms: exp(1 / T) overflows fp32 at T = 0.01. ``hard_negative`` weights the mean by hardness,
and is this loss with a weight of one where its beta is 0; with tau_plus = 0 as well it is an InfoNCE with NT-Xent's
negatives. With more than two views each positive has its own term, and an anchor's loss is their mean. An anchor
without negatives has loss 0.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature
from coview_losses.positives_and_negatives import Similarities

ClassPrior = Annotated[float, Ge(0), Le(0.9)]


def debiased(logits: Similarities, temperature: float, tau_plus: float, beta: float = 0.0) -> Tensor:
    """The mean loss of the anchors' rows.

    Args:
        logits: Cosines divided by the temperature.
        temperature: T, for the smallest value that a negative can have.
        tau_plus: Probability that a negative is of the anchor's class, below 1.
        beta: Each negative's weight in the mean is proportional to exp(beta s / T); 0 is equal weights.

    Returns:
        A scalar.
    """
    count_A = logits.is_negative_AK.sum(-1)
    log_count_A = count_A.clamp(min=1).to(logits.own_VAG.dtype).log()
    has_negatives_A = count_A > 0
    total_VA = logits.log_sum_exp_over_negatives((1 + beta) * logits.candidates_VAK)
    if beta > 0:
        total_VA = total_VA + log_count_A - _or_zero(
            logits.log_sum_exp_over_negatives(beta * logits.candidates_VAK), has_negatives_A
        )  # fmt: skip
    total_VA1 = _or_zero(total_VA, has_negatives_A)[..., None]
    corrected_VAG = total_VA1
    floor_A1 = (log_count_A - 1 / temperature)[:, None]
    if tau_plus > 0:
        false_VAG = math.log(tau_plus) + log_count_A[:, None] + logits.own_VAG
        corrected_VAG = _log_difference(total_VA1, false_VAG) - math.log1p(-tau_plus)
    corrected_VAG = torch.maximum(corrected_VAG, floor_A1)
    loss_VAG = nn.functional.softplus(corrected_VAG - logits.own_VAG)
    return _or_zero(logits.mean_over_positives(loss_VAG), has_negatives_A).mean()


def _or_zero(x_VA: Tensor, where_A: Tensor) -> Tensor:
    return torch.where(where_A, x_VA, 0)


def _log_difference(more: Tensor, less: Tensor) -> Tensor:
    """``log(exp(more) - exp(less))``, or -inf, without gradient, where the difference is not above 0."""
    gap = less - more
    is_less = gap < 0
    return torch.where(is_less, more + (-torch.expm1(gap.masked_fill(~is_less, -1))).log(), -torch.inf)


class Debiased(nn.Module):
    """Cross-entropy of a sample's other view among negatives corrected for false ones.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.5.
        tau_plus: Probability that a negative is of the anchor's class, 0 to 0.9: one over the number of classes
            where they are equally frequent. The paper's is 0.1 for CIFAR-10 and STL-10, 0.01 for ImageNet-100.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = (
        "temperature",
        "tau_plus",
    )

    def __init__(self, *, temperature: Temperature = 0.5, tau_plus: ClassPrior = 0.1) -> None:
        super().__init__()
        self.temperature = temperature
        self.tau_plus = tau_plus

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return debiased(
            Similarities.of(views, self.temperature, loss="debiased"), self.temperature, self.tau_plus
        )  # fmt: skip
