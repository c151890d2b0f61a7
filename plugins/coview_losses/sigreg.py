"""LeJEPA: views agree, and all projections together are a standard normal, tested on random slices (SIGReg).

Balestriero and LeCun 2025 (arXiv:2511.08544, sections 4 and 5). The projections on a random direction have the
empirical characteristic function phi(t); that of a standard normal is exp(-t²/2). The Epps-Pulley statistic is

    T = N · integral of |phi(t) - exp(-t²/2)|² exp(-t²/2) dt

and SIGReg the mean of T over ``slices`` directions, the integral taken by the trapezoid rule on ``knots`` points from
0 to 3, doubled, as in the authors' code. With lambda the one setting of the method,

    loss = (1 - lambda) · mean squared distance of views from the mean of the global ones + lambda · SIGReg

SIGReg is taken of each student's view, and the mean over views. The directions are drawn anew at each step from its
number, the same on every process; the statistics are of the whole batch. With a teacher a view's target is the mean
of the teacher's views of other numbers.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import refuse_one_teacher_view

LAST_KNOT = 3.0


def epps_pulley(x_NS: Tensor, knots: int, views: coview.Views | None = None) -> Tensor:
    """The statistic of each of S samples of N numbers against the standard normal, ``(S,)``.

    Args:
        x_NS: The numbers.
        knots: Points of the integral.
        views: What the numbers are made of, one row of each sample, for the statistic over all processes; absent: of
            these numbers.
    """
    t_T = torch.linspace(0, LAST_KNOT, knots, dtype=x_NS.dtype, device=x_NS.device)
    normal_T: Tensor = (-t_T.square() / 2).exp()
    weight_T = torch.full_like(t_T, 2 * LAST_KNOT / (knots - 1))
    weight_T[[0, -1]] /= 2
    phases = (t * x_NS for t in t_T)  # a knot at a time: N · S memory
    sums_TCS = torch.stack([torch.stack([phase_NS.cos().sum(0), phase_NS.sin().sum(0)]) for phase_NS in phases])
    count = len(x_NS)
    if views is not None:
        sums_TCS, count = views.sum(sums_TCS[None]), views.count
    cosine_TS, sine_TS = (sums_TCS / count).unbind(1)
    error_TS = (cosine_TS - normal_T[:, None]).square() + sine_TS.square()
    statistic_S: Tensor = (weight_T * normal_T) @ error_TS * count
    return statistic_S


def directions(width: int, slices: int, step: int, like: Tensor) -> Tensor:
    """Random unit columns ``(D, S)``, a function of the step."""
    generator = torch.Generator().manual_seed(step)
    drawn_DS = torch.randn(width, slices, generator=generator, dtype=torch.float64)
    unit_DS: Tensor = drawn_DS / drawn_DS.norm(dim=0)
    return unit_DS.to(like)


class SIGReg(nn.Module):
    """Distance of views from their mean, and of the batch's distribution from a standard normal.

    Args:
        lambda_: Share of the statistic in the loss, 0 to 1; the paper's is 0.05.
        slices: Random directions at each step, 1 to 8192; the paper's is 1024.
        knots: Points of the integral, 3 to 65; the paper's is 17.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2, rows="own")
    read_each_step = ("lambda_",)
    step: Tensor

    def __init__(
        self,
        *,
        lambda_: Annotated[float, Ge(0), Le(1)] = 0.05,
        slices: Annotated[int, Ge(1), Le(8192)] = 1024,
        knots: Annotated[int, Ge(3), Le(65)] = 17,
    ) -> None:
        super().__init__()
        self.lambda_ = lambda_
        self.slices = slices
        self.knots = knots
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """Of this process's rows and the statistic over all, and its terms; new directions each time in training."""
        refuse_one_teacher_view("sigreg", views.teacher)
        with no_autocast(views.student.device):
            student_VND, teacher_GND = in_full_precision(views.student), in_full_precision(views.teacher)
            V, _, D = student_VND.shape
            slices_DS = directions(D, self.slices, int(self.step), student_VND)
            of_views = [epps_pulley(z_ND @ slices_DS, self.knots, views).mean() for z_ND in student_VND]
            statistic = torch.stack(of_views).mean()
            if views.has_teacher:
                total_ND, G = teacher_GND.sum(0), len(teacher_GND)
                others = [(total_ND - teacher_GND[v]) / (G - 1) if v < G else total_ND / G for v in range(V)]
                target_VND = torch.stack(others)
            else:
                target_VND = teacher_GND.mean(0).expand(V, -1, -1)
            prediction = (student_VND - target_VND).square().mean()
        if self.training:
            self.step += 1
        return {
            "loss": (1 - self.lambda_) * prediction + self.lambda_ * statistic,
            "prediction": prediction.detach(),
            "sigreg": statistic.detach(),
        }
