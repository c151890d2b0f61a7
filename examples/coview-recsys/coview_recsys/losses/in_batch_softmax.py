"""The item of a user among those of the batch, except others that the user has chosen too."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import coview


class InBatchSoftmax(nn.Module):
    """Cross-entropy of the cosines of a user with the items of the batch (Yi et al., RecSys 2019).

    An item is not a negative of a user who has chosen it in another sample of the batch. Nor is the user's own item, if
    another sample has it too. The samples' extras, ``user`` and ``item``, tell both.

    Args:
        temperature: What cosines are divided by.
    """

    needs = coview.Needs(views=2, most_views=2, smallest_batch=2, extras=("user", "item"))

    def __init__(self, *, temperature: Annotated[float, Ge(0.01), Le(10)] = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        dtype = torch.promote_types(views.student.dtype, torch.float32)
        users_ND = normalize(views.student[0].to(dtype), dim=-1, eps=1e-3)
        items_ND = normalize(views.teacher[1].to(dtype), dim=-1, eps=1e-3)
        own_N = torch.arange(len(views.ids), device=views.ids.device)
        alike_NN = views.ids[:, None] == views.ids
        for of_sample in (views.extras["user"], views.extras["item"]):
            alike_NN = alike_NN | (of_sample[:, None] == of_sample)
        alike_NN = alike_NN & (own_N[:, None] != own_N)
        with torch.autocast(users_ND.device.type, enabled=False):
            logits_NN = (users_ND @ items_ND.T / self.temperature).masked_fill(alike_NN, -torch.inf)
        return cross_entropy(logits_NN[views.anchors], own_N[views.anchors])
