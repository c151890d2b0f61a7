"""The loss of Deep Graph Infomax (Veličković et al., arXiv:1809.10341, equation 1, section 4.2).

A discriminator tells the nodes of the graph from the nodes of a corrupted graph by a summary of the graph. With h_i the
nodes of the graph, c_i those of the corrupted one, s = sigmoid(mean of h_i) and D(x) = sigmoid(x^T W s),

    loss = -mean of log D(h_i) - mean of log(1 - D(c_i))
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import coview


class DGI(nn.Module):
    """Log loss of the discriminator. W is learnt."""

    needs = coview.Needs(views=2, most_views=2, smallest_batch=1, roles=("graph", "corrupted"))

    def __init__(self, width: int) -> None:
        super().__init__()
        bound = width**-0.5  # as PyTorch Geometric's DeepGraphInfomax starts
        self.weight_DD = nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))

    def forward(self, views: coview.Views) -> Tensor:
        """The mean over the nodes that this process owns; the summary is of the nodes of all processes."""
        dtype = torch.promote_types(views.student.dtype, torch.float32)
        graph_ND, corrupted_ND = (views.student[views.role(name)].to(dtype) for name in self.needs.roles)
        with torch.autocast(views.student.device.type, enabled=False):
            by_D = self.weight_DD.to(dtype) @ graph_ND.mean(0).sigmoid()
            return (
                softplus(-(graph_ND[views.anchors] @ by_D)).mean() + softplus(corrupted_ND[views.anchors] @ by_D).mean()
            )
