"""MSN: a view predicts the sharpened prototypes of the target's other views, and on the whole all prototypes.

Assran et al. 2022 (arXiv:2204.07141, section 3; values of facebookresearch/msn). With c_k unit prototypes, p the
softmax of a view's cosines to them over T, and q the target's p to the power of 1 / S, normalised again and, by
Sinkhorn-Knopp over the batch, such that all prototypes are used alike,

    loss = -mean over pairs of views of  sum over k of q_k log p_k  +  λ KL(mean of p over all rows ‖ prior)

The targets carry no gradient. The mean is over the rows of all processes. All is computed in logarithms: the power of a
small probability underflows half precision.

MSN's prior is uniform, and its last term is λ (log K - H(mean of p)). PMSN (arXiv:2210.07277) has a prior that falls by
a power law, for data whose classes differ in size: the prior of prototype k is proportional to k^-τ. lightly's
``PMSNLoss`` has the divergence in the other direction, KL(prior ‖ mean of p).
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import cross_entropy_of_pairs, refuse_one_teacher_view
from coview_losses.swav import sinkhorn


class MSN(nn.Module):
    """Cross-entropy of a view's prototypes against the sharpened ones of the target's other views.

    The method is named after views of which the encoder sees only some patches: a recipe uses local views for them, or
    an encoder that drops patches.

    Args:
        prototypes: K, 2 to 10000; the paper's is 1024.
        temperature: T, 0.01 to 1; the paper's is 0.1.
        sharpening: S, 0.01 to 1: the smaller, the nearer a target is to one prototype; the paper's is 0.25.
        mean_entropy: λ, weight of the divergence of the mean prediction from the prior, 0 to 100; the paper's is 1.
        iterations: Iterations of Sinkhorn-Knopp, 0 to 100; the paper's is 3 for its smaller networks, and 0 without
            it. It makes targets that use all prototypes alike, so it contradicts a prior that is not uniform.
        prior_exponent: τ of the prior, 0 to 10: 0 is MSN's uniform one; PMSN's power law is 0.25.
    """

    needs = coview.Needs(views=2, teacher=True, local_views=True, smallest_batch=2, rows="own")
    read_each_step = (
        "temperature",
        "sharpening",
        "mean_entropy",
    )

    def __init__(
        self,
        width: int,
        *,
        prototypes: Annotated[int, Ge(2), Le(10_000)] = 1024,
        temperature: Annotated[float, Ge(0.01), Le(1)] = 0.1,
        sharpening: Annotated[float, Ge(0.01), Le(1)] = 0.25,
        mean_entropy: Annotated[float, Ge(0), Le(100)] = 1.0,
        iterations: Annotated[int, Ge(0), Le(100)] = 3,
        prior_exponent: Annotated[float, Ge(0), Le(10)] = 0.0,
    ) -> None:
        super().__init__()
        self.prototypes_KD = nn.Parameter(torch.randn(prototypes, width) / width**0.5)
        self.temperature = temperature
        self.sharpening = sharpening
        self.mean_entropy = mean_entropy
        self.iterations = iterations
        self.prior_exponent = prior_exponent

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """Of this process's rows and of the mean over all.  V view · G global view · N sample · K prototype."""
        refuse_one_teacher_view("msn", views.teacher)
        with no_autocast(views.student.device):
            student_VND = unit_rows(views.student)
            unit_KD = unit_rows(self.prototypes_KD).to(student_VND.dtype)
            log_p_VNK = (student_VND @ unit_KD.T / self.temperature).log_softmax(-1)
            with torch.no_grad():
                sharp_GNK = unit_rows(views.teacher) @ unit_KD.T / (self.temperature * self.sharpening)
                targets = [self._target(sharp_NK, views) for sharp_NK in sharp_GNK]
            cross_entropy = cross_entropy_of_pairs(targets, log_p_VNK)
            log_mean_K = views.log_sum_exp(log_p_VNK.flatten(0, 1)) - math.log(len(log_p_VNK) * views.count)
            mean_K = log_mean_K.exp()
            divergence = (mean_K * (log_mean_K - self._log_prior(log_mean_K))).sum()
        return {
            "loss": cross_entropy + self.mean_entropy * divergence,
            "cross_entropy": cross_entropy.detach(),
            "mean_entropy": -(mean_K * log_mean_K).sum().detach(),
        }

    def _log_prior(self, log_mean_K: Tensor) -> Tensor:
        """Of each prototype, on the device and in the precision of what it is compared with."""
        ranks_K = torch.arange(1, len(log_mean_K) + 1, device=log_mean_K.device, dtype=log_mean_K.dtype)
        return (-self.prior_exponent * ranks_K.log()).log_softmax(-1)

    def _target(self, sharp_NK: Tensor, views: coview.Views) -> Tensor:
        """The distributions of one view's rows."""
        if not self.iterations:
            return sharp_NK.softmax(-1)
        return sinkhorn(sharp_NK.log_softmax(-1), 1.0, self.iterations, views.log_sum_exp)
