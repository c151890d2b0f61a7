"""The decoder of GraphMAE: it predicts the features of hidden nodes from what is around them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import coview
from coview_graph.gnn import Convolution, Share, convolution
from coview_graph.graph import Graph
from coview_graph.nodes import PADDING


class GNNDecoder(nn.Module):
    """A linear map and one graph convolution, which does not see what the encoder made of the hidden nodes.

    The vectors of hidden nodes are zero before the convolution (Hou et al., arXiv:2205.10803, section 3.2, "re-mask
    decoding"), so that a node is predicted from its neighbours alone. Nodes that are not in the sample are zero too.

    Args:
        conv: "gcn" or "gat".
        dropout: Share of the inputs of the convolution that is zero in training; GraphMAE on Cora: 0.2.
        attention_dropout: Share of the attention weights that are zero in training; GraphMAE on Cora: 0.1.
    """

    takes_batch = True

    def __init__(
        self,
        in_width: int,
        width: int,
        *,
        conv: Convolution = "gcn",
        dropout: Share = 0.0,
        attention_dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        self.map = nn.Linear(in_width, in_width, bias=False)
        self.conv = convolution(conv, in_width, width, attention_dropout=attention_dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, seen: coview.DecoderInput) -> Tensor:
        """A prediction for each hidden node."""
        numbers_MT: Tensor = seen.batch
        graph: Graph = seen.context
        rows, nodes = len(numbers_MT), len(graph)
        first_M1 = torch.arange(rows, device=numbers_MT.device)[:, None] * nodes
        place_MT = first_M1 + numbers_MT.clamp(min=0)  # each row has a copy of the graph
        is_seen_MT = seen.seen_MT & ~seen.wanted_MT & (numbers_MT != PADDING)
        mapped_MTD = self.map(seen.tokens_MTD)
        x_ND = mapped_MTD.new_zeros(rows * nodes, mapped_MTD.shape[2])
        x_ND = x_ND.index_put((place_MT[is_seen_MT],), mapped_MTD[is_seen_MT])
        edges_2ME = graph.edges_2E[:, None] + first_M1
        made_NP = self.conv(self.dropout(x_ND), edges_2ME.flatten(1))
        return made_NP[place_MT[seen.wanted_MT]]
