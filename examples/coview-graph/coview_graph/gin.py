"""The encoder of whole graphs: a graph isomorphism network, and the sum over the nodes of each graph."""

from __future__ import annotations

import itertools
from typing import Annotated

import torch
from annotated_types import Ge
from torch import nn

import coview
from coview_graph.pyg import GINConv, global_add_pool
from coview_graph.whole_graphs import NO_NODE, GraphBatch

Count = Annotated[int, Ge(1)]


class GIN(nn.Module):
    """Graph isomorphism layers (Xu et al., arXiv:1810.00826). The representation has what each layer makes, one after
    the other, summed over the nodes of the graph, as in InfoGraph and GraphCL.

    Args:
        inputs: Features of a node; MUTAG 7, ``motifs`` 8.
        hidden: Width of a layer; GraphCL and InfoGraph: 32. The representation is ``layers`` times as wide.
        layers: How many there are; GraphCL: 3.
    """

    def __init__(self, *, inputs: Count, hidden: Count = 32, layers: Count = 3) -> None:
        super().__init__()
        self.inputs = inputs
        self.width = hidden * layers
        widths = [inputs] + [hidden] * layers
        self.convs = nn.ModuleList(
            GINConv(nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, b))) for a, b in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(layers))

    def check_batch(self, batch: GraphBatch) -> None:
        """Refuses graphs whose nodes have another number of features."""
        if batch.x_NF.shape[1] != self.inputs:
            raise coview.CoviewError(
                f"the nodes have {batch.x_NF.shape[1]} features, and the encoder takes {self.inputs}",
                hint=f"set inputs = {batch.x_NF.shape[1]} in [encoder]",
            )

    def forward(self, batch: GraphBatch) -> coview.Encoding:
        """A vector of each graph, or of the node that stands for it."""
        x_NF, made = batch.x_NF, []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x_NF = norm(conv(x_NF, batch.edges_2E).relu())
            made.append(x_NF)
        x_ND = torch.cat(made, dim=1)
        graph_GD = global_add_pool(x_ND, batch.graph_N, size=len(batch))
        sizes_G = global_add_pool(torch.ones_like(batch.graph_N), batch.graph_N, size=len(batch))
        node_GD = x_ND[sizes_G.cumsum(0) - sizes_G + batch.node_G.clamp(min=0)]
        return coview.Encoding(torch.where((batch.node_G == NO_NODE)[:, None], graph_GD, node_GD))
