"""The encoder: nodes looked up in what a graph convolution makes of the whole graph."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

import coview
from coview_graphs.graph import Graph


class GCN(nn.Module):
    """Graph convolutions with ReLUs after them (Kipf and Welling, arXiv:1609.02907).

    Args:
        inputs: Features of a node; Cora 1433, CiteSeer 3703.
        width: Of the representations; hidden layers are as wide.
        layers: How many convolutions there are.
    """

    takes_context = True

    def __init__(
        self, *, inputs: Annotated[int, Ge(1)], width: Annotated[int, Ge(1)] = 128, layers: Annotated[int, Ge(1)] = 2
    ) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList(nn.Linear(width if number else inputs, width) for number in range(layers))

    def forward(self, batch: Tensor, context: Graph) -> coview.Encoding:
        """Of the numbers of nodes their representations."""
        adjacency_NN = context.adjacency()
        hidden_ND = context.features_NF
        for layer in self.layers:
            made_ND = layer(hidden_ND)
            with torch.autocast(made_ND.device.type, enabled=False):  # there is no sparse product in bf16
                hidden_ND = torch.sparse.mm(adjacency_NN, made_ND.to(adjacency_NN.dtype)).relu()
        return coview.Encoding(hidden_ND[batch])
