"""Spectral contrastive loss: squared similarities in place of exponentials, whose minimiser is known.

HaoChen et al. 2021 (arXiv:2106.04156): embeddings that minimise it are the top eigenvectors of the graph
that joins views of one sample,

    loss = -2 E[f(x) . f(x+)] + E[(f(x) . f(x-))^2]

over pairs of views of different numbers, x+ of the same sample and x- of another. As in the authors' code a row longer
than sqrt(mu) is shortened to that, shorter ones stay, and the loss is divided by mu. The mean over negatives is each
anchor's own; without any it is 0.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.cosine import in_full_precision, no_autocast
from coview_losses.positives_and_negatives import between_views, has_other_id, refuse_one_teacher_view


def no_longer_than(z: Tensor, length: float) -> Tensor:
    """Rows in fp32 or fp64, those that are longer shortened to the length.

    Args:
        z: Of shape (..., D).
        length: Above 0.
    """
    z = in_full_precision(z)
    norm: Tensor = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    return z * (length / norm.clamp(min=length))


def spectral_contrastive(views: coview.Views, mu: float) -> Tensor:
    """The mean loss of the anchors' rows.  V view · A anchor · N sample · D width.

    Args:
        views: Anchors are the student's, the other rows the teacher's.
        mu: The largest squared length of a row.

    Returns:
        A scalar in fp32, or in fp64 if the inputs are.

    Raises:
        ValueError: If there are fewer than two teacher views.
    """
    refuse_one_teacher_view("spectral_contrastive", views.teacher)
    is_negative_AN = has_other_id(views.ids, views.anchors, views=1)
    negatives_A = is_negative_AN.sum(-1).clamp(min=1)
    own_A1 = torch.arange(len(views.ids), device=views.ids.device)[views.anchors][:, None]
    with no_autocast(views.student.device):
        anchors_VAD = no_longer_than(views.student[:, views.anchors], math.sqrt(mu))
        losses = [
            ((product_AN.square() * is_negative_AN).sum(-1) / negatives_A - 2 * product_AN.gather(1, own_A1)[:, 0])
            for product_AN in between_views(anchors_VAD, no_longer_than(views.teacher, math.sqrt(mu)))
        ]
    return torch.stack(losses).mean() / mu


class SpectralContrastive(nn.Module):
    """Minus twice a sample's inner product with its other view, plus the mean square of those with other samples.

    Args:
        mu: The largest squared length of a row, 0.01 to 100; longer ones are shortened to it. 1 in the authors' code.
    """

    needs = coview.Needs(views=2, local_views=True, smallest_batch=2)
    read_each_step = ("mu",)

    def __init__(self, *, mu: Annotated[float, Ge(0.01), Le(100)] = 1.0) -> None:
        super().__init__()
        self.mu = mu

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        return spectral_contrastive(views, self.mu)
