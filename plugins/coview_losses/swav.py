"""SwAV: a view predicts to which prototypes the other views of its sample are assigned, all prototypes used alike.

Caron et al. 2020 (arXiv:2006.09882). With c_k unit prototypes, p the softmax of a view's cosines to them over T, and q
the codes that Sinkhorn-Knopp makes of a global view's cosines over the whole batch,

    loss = -mean over pairs of views of  sum over k of q_k log p_k

The codes carry no gradient. Rows of a queue take part in making the codes of the view that they are of, and have no
loss of their own. Sinkhorn is over the batch of all processes, in logarithms: exponentials of cosine / eps overflow
half precision, and a process has the scores of its own rows alone.

As in the authors' code (facebookresearch/swav, ``main_swav.py``), the prototypes are brought to unit length in place
before each forward pass, and not within the graph: their gradient has a part along them, which an optimiser's momentum
and weight decay see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import SMALLEST_NORM, no_autocast, unit_rows
from coview_losses.positives_and_negatives import cross_entropy_of_pairs, refuse_one_teacher_view


def sinkhorn(
    scores_NK: Tensor, eps: float, iterations: int, log_sum_of_rows: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Codes of unit sum for each row, with columns of about equal sum.  N row · K prototype.

    Args:
        scores_NK: Cosines.
        eps: Entropy's weight: the smaller, the nearer to one prototype for each row.
        iterations: Alternations of normalising columns and rows.
        log_sum_of_rows: ``(K,)``, the logarithm of the sum of exponentials of ``(N, K)`` over the rows, and over what
            else there is of them, such as those of other processes; absent: over these rows.
    """
    log_q_NK = scores_NK / eps
    for _ in range(iterations):
        log_sum_K = log_q_NK.logsumexp(0) if log_sum_of_rows is None else log_sum_of_rows(log_q_NK)
        log_q_NK = (log_q_NK - log_sum_K).log_softmax(1)
    return log_q_NK.exp()


class SwAV(nn.Module):
    """Cross-entropy of a view's prototypes against the codes of the other views.

    Args:
        prototypes: K, 2 to 10000; the paper's is 3000.
        temperature: T, 0.01 to 1; the paper's is 0.1.
        eps: Epsilon of Sinkhorn-Knopp, 0.01 to 1; the paper's is 0.05.
        iterations: Iterations of Sinkhorn-Knopp, 1 to 100; the paper's is 3.
        frozen: Share of training at the start in which the prototypes stay as they are, 0 to 1; the paper's first
            epoch of 800 would be 0.00125.
        queue_from: Share of training from which the queue's rows take part, 0 to 1; the authors' for batches of 256 is
            epoch 15 of 400, 0.0375. Their queue of 3,840 rows for each view is filled from then on, and takes part
            once it is full; this one is filled from the first step on. A queue of two views has twice the rows.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, rows="own")
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
        queue_from: Annotated[float, Ge(0), Le(1)] = 0.0,
    ) -> None:
        super().__init__()
        self.prototypes_KD = nn.Parameter(torch.randn(prototypes, width) / width**0.5)
        self.temperature = temperature
        self.eps = eps
        self.iterations = iterations
        self.frozen = frozen
        self.queue_from = queue_from

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns.  V view · G global view · N sample · K prototype.

        In training mode the prototypes are of unit length afterwards.
        """
        refuse_one_teacher_view("swav", views.teacher)
        with no_autocast(views.student.device):
            student_VND = unit_rows(views.student)
            unit_KD = self._unit_prototypes(views.progress).to(student_VND.dtype)
            log_p_VNK = (student_VND @ unit_KD.T / self.temperature).log_softmax(-1)
            with torch.no_grad():
                codes = [self._codes(view, unit_KD, views) for view in range(len(views.teacher))]
            return cross_entropy_of_pairs(codes, log_p_VNK)

    def _unit_prototypes(self, progress: float) -> Tensor:
        """Of unit length, whose gradient by their lengths is as if these were 1 for themselves."""
        with torch.no_grad():
            if self.training:
                self.prototypes_KD.copy_(unit_rows(self.prototypes_KD))
            norm_K1 = torch.linalg.vector_norm(self.prototypes_KD, dim=-1, keepdim=True).clamp_min(SMALLEST_NORM)
        prototypes_KD = self.prototypes_KD if progress >= self.frozen else self.prototypes_KD.detach()
        unit_KD: Tensor = prototypes_KD / norm_K1
        return unit_KD

    def _codes(self, view: int, unit_KD: Tensor, views: coview.Views) -> Tensor:
        """Of a view's rows, made with those rows of the queue that are of the same view."""
        rows_ND = unit_rows(views.teacher[view])
        samples = len(rows_ND)
        if views.queue is not None and views.progress >= self.queue_from:
            queue_QD = views.queue if views.queue_views is None else views.queue[views.queue_views == view]
            rows_ND = torch.cat([rows_ND, unit_rows(queue_QD)])

        def log_sum_of_rows(log_q_NK: Tensor) -> Tensor:
            """The queue is the same on every process, and counts once."""
            return torch.logaddexp(views.log_sum_exp(log_q_NK[:samples]), log_q_NK[samples:].logsumexp(0))

        return sinkhorn(rows_ND @ unit_KD.T, self.eps, self.iterations, log_sum_of_rows)[:samples]
