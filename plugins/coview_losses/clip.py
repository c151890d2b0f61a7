"""CLIP's loss: InfoNCE between two towers, in both directions, with a learnable temperature.

Radford et al. 2021 (arXiv:2103.00020, figure 3): the mean of the cross-entropies of an image's text among all texts,
and of a text's image among all images, of exp(log_scale) times the cosine similarities. It is ``info_nce`` with
``symmetric = true``, whose temperature is fixed.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

import coview
from coview_losses.info_nce import info_nce
from coview_losses.own_scale import came_with
from coview_losses.positives_and_negatives import queue_beside

LARGEST_SCALE = 100.0
"""The paper keeps the factor from growing further, for stability."""


class CLIP(nn.Module):
    """Symmetric cross-entropy between views, whose temperature is trained too.

    The parameter is the logarithm of the factor that multiplies the similarities, clamped to log(100) itself, so that
    it can come back from there.

    Args:
        temperature: What the temperature is at first, 0.01 to 10; the paper's is 0.07. "own": the temperature that the
            pretrained encoders came with, such as those of hf-clip:NAME.
    """

    needs = coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")

    def __init__(
        self,
        *,
        temperature: Annotated[float, Ge(0.01), Le(10)] | Literal["own"] = 0.07,
        own_scale: coview.LogitScale | None = None,
    ) -> None:
        super().__init__()
        scale = came_with("temperature", own_scale).scale if temperature == "own" else 1 / temperature
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, views: coview.Views) -> dict[str, Tensor]:
        """The loss of the rows that this process owns, and the temperature that it was taken at."""
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        temperature = torch.exp(-self.log_scale)
        loss = info_nce(
            views.student,
            views.teacher,
            views.ids,
            temperature,
            anchors=views.anchors,
            queue_QD=views.queue,
            queue_ids_Q=views.queue_ids,
            beside_GQ=queue_beside(views),
            ids_differ=views.ids_differ,
        )
        return {"loss": loss, "temperature": temperature.detach()}
