"""DINO: the student's distribution over prototypes is to be the teacher's, which is centred and sharpened.

Caron et al. 2021 (arXiv:2104.14294). The projections are logits over D prototypes, as ``dino_head`` makes them. With c
the moving average of the teacher's mean logit over batches,

    loss = -mean over pairs of views of  sum over d of softmax((t - c) / Tt)_d · log softmax(s / Ts)_d

The teacher's temperature rises linearly over the first part of training, step by step; in the authors' code, epoch by
epoch. The centre is the state of the loss, moved on after each batch by the whole batch's mean, the same on every
process.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import cross_entropy_of_pairs, refuse_one_teacher_view
from coview_losses.swav import sinkhorn

Temperature = Annotated[float, Ge(0.01), Le(1)]


class DINO(nn.Module):
    """Cross-entropy of the student's distribution against the teacher's, for each pair of views.

    Args:
        student_temperature: Ts, 0.01 to 1; the paper's is 0.1.
        teacher_temperature: Tt after the warm-up, 0.01 to 1; the paper's is 0.07 for long runs, 0.04 to begin with.
        warmup_teacher_temperature: Tt at the start, 0.01 to 1; the paper's is 0.04.
        warmup: Share of training over which Tt rises, 0 to 1; the paper's is 0.1 (30 of 300 epochs).
        center_momentum: Momentum of the centre, from 0 to below 1; the paper's is 0.9.
        centering: "mean": the centre is taken off; "sinkhorn": instead of it all prototypes are made to be used alike
            within the batch, each teacher's view by itself (DINOv2, arXiv:2304.07193, section 4).
        iterations: Iterations of Sinkhorn and Knopp, 1 to 100; DINOv2's is 3.
    """

    needs = coview.Needs(views=2, teacher=True, local_views=True, smallest_batch=1, rows="own")
    read_each_step = (
        "student_temperature",
        "teacher_temperature",
        "center_momentum",
    )
    center_D: Tensor

    def __init__(
        self,
        width: int,
        *,
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.07,
        warmup_teacher_temperature: Temperature = 0.04,
        warmup: Annotated[float, Ge(0), Le(1)] = 0.1,
        center_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        centering: Literal["mean", "sinkhorn"] = "mean",
        iterations: Annotated[int, Ge(1), Le(100)] = 3,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.warmup_teacher_temperature = warmup_teacher_temperature
        self.warmup = warmup
        self.center_momentum = center_momentum
        self.centering, self.iterations = centering, iterations
        self.register_buffer("center_D", torch.zeros(width))

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the rows that this process owns; the centre moves on in training mode."""
        refuse_one_teacher_view("dino", views.teacher)
        temperature = self.temperature_at(views.progress)
        with no_autocast(views.student.device):
            log_p_VND = (in_full_precision(views.student) / self.student_temperature).log_softmax(-1)
            teacher_GND = in_full_precision(views.teacher.detach())
            target_GND = self._targets(teacher_GND, temperature, views)
            loss = cross_entropy_of_pairs(target_GND.unbind(), log_p_VND)
            entropy = -(target_GND * target_GND.clamp_min(1e-12).log()).sum(-1).mean()
            if self.training and self.centering == "mean":
                mean_D = views.sum(teacher_GND.mean(0)) / views.count
                self.center_D.lerp_(mean_D.to(self.center_D.dtype), 1 - self.center_momentum)
        return {"loss": loss, "teacher_entropy": entropy.detach()}

    def temperature_at(self, progress: float) -> float:
        """Tt at a share of the training."""
        return risen((self.warmup_teacher_temperature, self.teacher_temperature), self.warmup, progress)

    @torch.no_grad()
    def _targets(self, teacher_GND: Tensor, temperature: float, views: coview.Views) -> Tensor:
        if self.centering == "sinkhorn":
            settings = temperature, self.iterations, views.log_sum_exp
            return torch.stack([sinkhorn(logits_ND, *settings) for logits_ND in teacher_GND])
        return ((teacher_GND - self.center_D.to(teacher_GND.dtype)) / temperature).softmax(-1)


def risen(temperatures: tuple[float, float], warmup: float, progress: float) -> float:
    """A temperature that rises linearly from the first to the second.

    Args:
        temperatures: Both.
        warmup: The share of training in which it does.
        progress: The share that is done.
    """
    share = 1.0 if warmup == 0 else min(1.0, progress / warmup)
    return temperatures[0] + share * (temperatures[1] - temperatures[0])
