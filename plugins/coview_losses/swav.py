"""SwAV: a view predicts to which prototypes the other views of its sample are assigned, all prototypes used alike.

Caron et al. 2020 (arXiv:2006.09882, equations 1 to 4). With c_k unit prototypes, p the softmax of a view's cosines to
them over T, and q the codes that Sinkhorn-Knopp makes of a global view's cosines over the whole batch,

    loss = -mean over pairs of views of  sum over k of q_k log p_k

The codes carry no gradient. Rows of a queue take part in making them, and have no loss of their own. Sinkhorn is over
the batch of all processes, in logarithms: exponentials of cosine / eps overflow half precision.
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


def sinkhorn(scores_NK: Tensor, eps: float, iterations: int) -> Tensor:
    """Codes of unit sum for each row, with columns of about equal sum.  N row · K prototype.

    Args:
        scores_NK: Cosines.
        eps: Entropy's weight: the smaller, the nearer to one prototype for each row.
        iterations: Alternations of normalising columns and rows.
    """
    log_q_NK = scores_NK / eps
    N, K = log_q_NK.shape
    for _ in range(iterations):
        log_q_NK = log_q_NK - log_q_NK.logsumexp(0, keepdim=True) - math.log(K)
        log_q_NK = log_q_NK - log_q_NK.logsumexp(1, keepdim=True) - math.log(N)
    return (log_q_NK + math.log(N)).exp()


class SwAV(nn.Module):
    """Cross-entropy of a view's prototypes against the codes of the other views.

    Args:
        prototypes: K, 2 to 10000; the paper's is 3000.
        temperature: T, 0.01 to 1; the paper's is 0.1.
        eps: Of Sinkhorn-Knopp, 0.01 to 1; the paper's is 0.05.
        iterations: Of Sinkhorn-Knopp, 1 to 100; the paper's is 3.
        frozen: Share of training at the start in which the prototypes stay as they are, 0 to 1; the paper's first
            epoch of 800 would be 0.00125.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2)
    read_each_step = (
        "temperature",
        "eps",
    )

    def __init__(
        self,
        width: int,
        *,
        prototypes: Annotated[int, Ge(2), Le(10_000)] = 3000,
        temperature: Annotated[float, Ge(0.01), Le(1)] = 0.1,
        eps: Annotated[float, Ge(0.01), Le(1)] = 0.05,
        iterations: Annotated[int, Ge(1), Le(100)] = 3,
        frozen: Annotated[float, Ge(0), Le(1)] = 0.0,
    ) -> None:
        super().__init__()
        self.prototypes_KD = nn.Parameter(torch.randn(prototypes, width) / width**0.5)
        self.temperature = temperature
        self.eps = eps
        self.iterations = iterations
        self.frozen = frozen

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns.  V view · G global view · A anchor · K prototype."""
        refuse_one_teacher_view("swav", views.teacher)
        prototypes_KD = self.prototypes_KD if views.progress >= self.frozen else self.prototypes_KD.detach()
        N = len(views.ids)
        with no_autocast(views.student.device):
            unit_KD = unit_rows(prototypes_KD).to(unit_rows(views.student).dtype)
            log_p_VAK = (unit_rows(views.student[:, views.anchors]) @ unit_KD.T / self.temperature).log_softmax(-1)
            with torch.no_grad():
                rows_KD = [] if views.queue is None else [unit_rows(views.queue)]
                codes = [
                    sinkhorn(torch.cat([z_ND, *rows_KD]) @ unit_KD.T, self.eps, self.iterations)[:N][views.anchors]
                    for z_ND in unit_rows(views.teacher)
                ]
            return cross_entropy_of_pairs(codes, log_p_VAK)
