"""Contrastive learning with hard negatives: the more alike a negative is, the more it counts.

Robinson et al. 2021 (arXiv:2010.04592) draw negatives from a distribution proportional to
exp(beta s / T) p(x), estimated by weighting the batch's, and correct it for false negatives as ``debiased`` does:

    loss(i, j) = -log  exp(p) / (exp(p) + M g),      p = s_ij / T,  M negatives, s the cosine similarity
    g = max( (sum over k of w_k exp(s_ik / T) - tau_plus exp(p)) / (1 - tau_plus),  exp(-1 / T) )
    w_k = exp(beta s_ik / T) / sum over negatives m of exp(beta s_im / T)

beta = 0 is ``debiased``. The estimator stands there; it carries the gradient of the weights too, as the authors' code
does.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import Temperature
from coview_losses.debiased import ClassPrior, debiased
from coview_losses.positives_and_negatives import Similarities


class HardNegative(nn.Module):
    """Cross-entropy of a sample's other view among negatives weighted by hardness, corrected for false ones.

    Args:
        temperature: Divides the cosine similarities; 0.01 to 10. The paper's is 0.5.
        beta: How much hardness counts, 0 (not at all) to 10. The paper's is 1 for CIFAR and STL-10; it tries 0.5
            to 2.
        tau_plus: Probability that a negative is of the anchor's class, 0 to 0.9. The paper's is 0.1 for CIFAR-10
            and STL-10, 0.05 for CIFAR-100.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    read_each_step = (
        "temperature",
        "beta",
        "tau_plus",
    )

    def __init__(
        self,
        *,
        temperature: Temperature = 0.5,
        beta: Annotated[float, Ge(0), Le(10)] = 1.0,
        tau_plus: ClassPrior = 0.1,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.beta = beta
        self.tau_plus = tau_plus

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        logits = Similarities.of(views, self.temperature, loss="hard_negative")
        return debiased(logits, self.temperature, self.tau_plus, self.beta)
