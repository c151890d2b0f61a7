"""KoLeo: each row keeps away from its nearest neighbour. A regulariser, to be added to a loss that aligns views.

The Kozachenko-Leonenko estimate of entropy on unit rows (Sablayrolles et al. 2019, arXiv:1806.03198), within each view,
and the mean over the views:

    loss = -mean over n of log(distance of n to its nearest neighbour + eps)

DINOv2 (facebookresearch/dinov2, ``ssl_meta_arch.py``) takes it of the [CLS] token before the head, of the two global
crops, and adds these up: ``of = "representations"``, of an encoder that gives the [CLS] token, with twice the weight.
Samples of equal id are no neighbours; a row that has none counts nothing.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

import coview
from coview_losses.cosine import no_autocast, unit_rows
from coview_losses.positives_and_negatives import has_other_id

EPS = 1e-4
"""Bounds the gradient of rows that are equal: 1e-8 in DINOv2's code, which fp16 gradients do not survive."""


class KoLeo(nn.Module):
    """Negative mean log distance of each row to its nearest neighbour.

    Args:
        of: "projections", of all views; or "representations", what the encoder makes before the projector, of the
            global views, as DINOv2 has it. DINOv2 adds its views up, with 0.1; of the mean of two that is a weight of
            0.2.
    """

    def __init__(self, *, of: Literal["projections", "representations"] = "projections") -> None:
        super().__init__()
        self.of = of
        sees = of == "representations"
        self.needs = coview.Needs(
            views=1, local_views=True, smallest_batch=2, projections=not sees, representations=sees
        )

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns.  V view · A anchor · N sample."""
        is_other_AN = has_other_id(views.ids, views.anchors, views=1)
        with no_autocast(views.student.device):
            z_VND = unit_rows(self._rows(views))
            anchors_VAD = z_VND[:, views.anchors]
            with torch.no_grad():
                cosine_VAN = (anchors_VAD @ z_VND.transpose(1, 2)).masked_fill(~is_other_AN, -torch.inf)
                nearest_VA = cosine_VAN.argmax(-1)
            nearest_VAD = z_VND.gather(1, nearest_VA[..., None].expand(-1, -1, z_VND.shape[-1]))
            distance_VA = torch.linalg.vector_norm(anchors_VAD - nearest_VAD, dim=-1)
            log_VA = (distance_VA + EPS).log()
            return -torch.where(is_other_AN.any(-1), log_VA, 0).mean()

    def _rows(self, views: coview.Views) -> Tensor:
        if self.of == "projections":
            return views.student
        if views.representations is None:
            raise ValueError("koleo is a loss of representations, and these views have none")
        return views.representations[: len(views.teacher)]
