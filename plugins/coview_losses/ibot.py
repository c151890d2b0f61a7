"""iBOT: the student's distribution of a hidden token is to be the teacher's of the same token, which it sees.

Zhou et al. 2022 (arXiv:2111.07832); DINOv2 (arXiv:2304.07193, section 4) makes the teacher's distribution
by Sinkhorn and Knopp instead of a centre. Predictions, and what the teacher makes, are logits over prototypes. With s
and t of a hidden token,

    loss = -mean over views of  mean over its hidden tokens of  sum over c of target(t)_c · log softmax(s / Ts)_c

A view of which nothing is hidden counts as 0, as in the authors' code. ``[[loss]]`` has it beside ``dino``, which does
the same with the pooled output.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le, Lt
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.dino import Temperature, risen
from coview_losses.tokens import hidden_tokens


class IBOT(nn.Module):
    """Cross-entropy of the student's distribution over prototypes against the teacher's, for each hidden token.

    ``[target] use = "teacher_decoder"`` gives it the teacher's.

    Args:
        student_temperature: Ts, 0.01 to 1; the paper's is 0.1.
        teacher_temperature: Tt after the warm-up, 0.01 to 1; the paper's is 0.07.
        warmup_teacher_temperature: Tt at the start, 0.01 to 1; the paper's is 0.04.
        warmup: Share of training over which Tt rises, 0 to 1; the paper's is 30 of 800 epochs.
        centering: "mean": a moving average is taken off the teacher's logits (iBOT); "sinkhorn": all prototypes are
            made to be used alike within the batch (DINOv2).
        center_momentum: Momentum of the moving average, from 0 to below 1; the paper's is 0.9.
        iterations: Iterations of Sinkhorn and Knopp, 1 to 100; DINOv2's is 3.
    """

    needs = coview.Needs(views=1, teacher=True, local_views=True, smallest_batch=1, projections=False, tokens="numbers")
    read_each_step = (
        "student_temperature",
        "teacher_temperature",
        "center_momentum",
    )
    center_D: Tensor

    def __init__(
        self,
        token_width: int,
        *,
        student_temperature: Temperature = 0.1,
        teacher_temperature: Temperature = 0.07,
        warmup_teacher_temperature: Temperature = 0.04,
        warmup: Annotated[float, Ge(0), Le(1)] = 0.0375,
        centering: Literal["mean", "sinkhorn"] = "mean",
        center_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        iterations: Annotated[int, Ge(1), Le(100)] = 3,
    ) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.warmup_teacher_temperature = warmup_teacher_temperature
        self.warmup = warmup
        self.centering, self.center_momentum, self.iterations = centering, center_momentum, iterations
        self.register_buffer("center_D", torch.zeros(token_width))

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch; the centre moves on in training mode."""
        tokens = hidden_tokens(views, "ibot")
        temperatures = self.warmup_teacher_temperature, self.teacher_temperature
        temperature = risen(temperatures, self.warmup, views.progress)
        with no_autocast(tokens.predictions.device):
            log_p_KD = (in_full_precision(tokens.predictions) / self.student_temperature).log_softmax(1)
            teacher_KD = in_full_precision(tokens.targets.detach())
            return tokens.mean(-(self._target(tokens, teacher_KD, temperature) * log_p_KD).sum(1), over="samples")

    @torch.no_grad()
    def _target(self, tokens: coview.HiddenTokens, teacher_KD: Tensor, temperature: float) -> Tensor:
        if self.centering == "sinkhorn":
            return sinkhorn_of_tokens(tokens, teacher_KD / temperature, self.iterations)
        target_KD = ((teacher_KD - self.center_D.to(teacher_KD.dtype)) / temperature).softmax(1)
        if self.training:
            mean_D = tokens.sum(teacher_KD) / tokens.count
            self.center_D.lerp_(mean_D.to(self.center_D.dtype), 1 - self.center_momentum)
        return target_KD


def sinkhorn_of_tokens(tokens: coview.HiddenTokens, logits_KD: Tensor, iterations: int) -> Tensor:
    """``(K, D)`` distributions of the tokens of all processes, over which the D prototypes are used alike."""
    if not len(logits_KD):  # this process has none, but others wait for its part of the sums
        for _ in range(iterations):
            tokens.sum(logits_KD.double())
        return logits_KD
    # cosines over 0.01 are at most 100, whose exp overflows in fp32
    q_KD = logits_KD.double().exp()
    for _ in range(iterations):
        q_KD = q_KD / tokens.sum(q_KD)
        q_KD = q_KD / q_KD.sum(1, keepdim=True)
    return q_KD.to(logits_KD.dtype)
