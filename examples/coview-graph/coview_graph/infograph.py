"""The loss of InfoGraph (Sun et al., arXiv:1908.01000, equation 4): nodes are told from nodes of other graphs.

With g_i the projection of graph i, n_j that of a node of graph j, s_ij = n_j . g_i, and softplus(x) = log(1 + e^x),

    loss = mean over i != j of softplus(s_ij)  +  mean over i of softplus(-s_ii)  -  2 log 2

which is minus the Jensen-Shannon estimate of the mutual information of nodes and graphs, with the constant of the
authors' code. Their step has all nodes of each graph. Here it has one node of each graph, drawn by ``pick_node``, so
that each graph counts alike.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import coview


class InfoGraph(nn.Module):
    """The Jensen-Shannon estimate, between the views called "graph" and "node"."""

    needs = coview.Needs(views=2, most_views=2, smallest_batch=2, roles=("graph", "node"))

    def forward(self, views: coview.Views) -> Tensor:
        """The mean over the graphs that this process owns, among the nodes of all processes."""
        dtype = torch.promote_types(views.student.dtype, torch.float32)
        graph_AD = views.student[views.role("graph"), views.anchors].to(dtype)
        node_ND = views.teacher[views.role("node")].to(dtype)
        own_N = torch.arange(len(views.ids), device=views.ids.device)
        is_other_AN = views.ids[views.anchors, None] != views.ids
        with torch.autocast(graph_AD.device.type, enabled=False):
            score_AN = graph_AD @ node_ND.T
            own_A = score_AN.gather(1, own_N[views.anchors, None])[:, 0]
            others_A1 = is_other_AN.sum(1, keepdim=True).clamp(min=1)
            negative = (softplus(score_AN) * is_other_AN / others_A1).sum(1).mean()
            return negative + softplus(-own_A).mean() - 2 * math.log(2)
