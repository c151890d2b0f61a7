"""The contrastive term of SGL and SimGCL: the two views of a node among those of other nodes."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import coview


class _ViewInfoNCE(nn.Module):
    """InfoNCE from one view of the nodes of a batch to the other (SGL, arXiv:2010.10783, equation 10).

    The negatives of a node are the other nodes of the batch. A node that is in the batch several times counts as one,
    as in the authors' code, which takes each node once: as a negative, each of its m rows has the weight 1/m.

    Args:
        temperature: What cosines are divided by.
    """

    node: ClassVar[str]
    needs: ClassVar[coview.Needs]

    def __init__(self, *, temperature: Annotated[float, Ge(0.01), Le(10)] = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        dtype = torch.promote_types(views.student.dtype, torch.float32)
        a, b = (views.role(name) for name in self.needs.roles)
        a_AD = normalize(views.student[a, views.anchors].to(dtype), dim=-1, eps=1e-3)
        b_ND = normalize(views.teacher[b].to(dtype), dim=-1, eps=1e-3)
        of_node_N = views.extras[self.node]
        same_NN = of_node_N[:, None] == of_node_N
        own_NN = torch.eye(len(of_node_N), dtype=torch.bool, device=of_node_N.device)
        left_out_NN = (same_NN | (views.ids[:, None] == views.ids)) & ~own_NN
        weight_NN = torch.where(own_NN, 1.0, 1 / same_NN.sum(0))
        with torch.autocast(a_AD.device.type, enabled=False):
            logits_AN = a_AD @ b_ND.T / self.temperature + weight_NN[views.anchors].log()
        own_N = torch.arange(len(of_node_N), device=of_node_N.device)
        return cross_entropy(logits_AN.masked_fill(left_out_NN[views.anchors], -torch.inf), own_N[views.anchors])


class UserInfoNCE(_ViewInfoNCE):
    """InfoNCE from one view of the users of a batch to the other (SGL, arXiv:2010.10783, equation 10).

    The views are called ``user_a`` and ``user_b``. A user who is in the batch several times is one negative, as in the
    authors' code, which takes each user once.

    Args:
        temperature: What cosines are divided by.
    """

    node = "user"
    needs = coview.Needs(views=2, extras=("user",), roles=("user_a", "user_b"))


class ItemInfoNCE(_ViewInfoNCE):
    """InfoNCE from one view of the items of a batch to the other (SGL, arXiv:2010.10783, equation 10).

    The views are called ``item_a`` and ``item_b``. An item that is in the batch several times is one negative, as in
    the authors' code, which takes each item once.

    Args:
        temperature: What cosines are divided by.
    """

    node = "item"
    needs = coview.Needs(views=2, extras=("item",), roles=("item_a", "item_b"))
