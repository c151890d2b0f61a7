"""The encoder of nodes: graph convolutions over the whole graph, of which the nodes of a batch are looked up."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

import coview
from coview_graph.graph import Graph
from coview_graph.nodes import PADDING
from coview_graph.pyg import GATConv, GCNConv

Count = Annotated[int, Ge(1)]
Share = Annotated[float, Ge(0), Lt(1)]
Convolution = Literal["gcn", "gat"]


def convolution(
    kind: Convolution, in_width: int, width: int, *, heads: int = 1, attention_dropout: float = 0.0
) -> nn.Module:
    """A layer of PyTorch Geometric that is called with the features and the edges.

    Args:
        kind: GCN (Kipf and Welling, arXiv:1609.02907) or GAT (Veličković et al., arXiv:1710.10903).
        in_width: Of the features.
        width: Of what comes out; with heads, of all heads together.
        heads: Of a GAT; its width has to be a multiple of them.
        attention_dropout: Of a GAT: share of the attention weights that are zero in training.

    Raises:
        ValueError: If a GCN is given what only attention has.
    """
    if kind == "gcn":
        if heads > 1 or attention_dropout:
            raise ValueError(
                "heads and attention_dropout are of attention, and a gcn has none: set conv to gat, or leave them out"
            )
        return GCNConv(in_width, width)
    return GATConv(in_width, width // heads, heads=heads, dropout=attention_dropout)


class GNN(nn.Module):
    """Graph convolutions, each with an activation after it.

    With a mask, each token is a node of the sample. A learnt vector replaces the features of a hidden node in the whole
    graph, as in GraphMAE (Hou et al., arXiv:2205.10803, section 3.2).

    Args:
        inputs: Features of a node; Cora 1433, CiteSeer 3703, PubMed 500.
        width: Of the representations. GRACE on Cora: 128; DGI, BGRL and GraphMAE: 512.
        hidden: Width of the layers before the last one; absent: as wide as the last one. GRACE on Cora: 256.
        layers: How many convolutions there are. DGI: 1; GRACE, BGRL and GraphMAE on Cora: 2.
        conv: "gcn", or "gat" with attention, as GraphMAE has it.
        heads: Of the attention; the widths have to be multiples of them. GraphMAE on Cora: 4.
        attention_dropout: Share of the attention weights that are zero in training; GraphMAE on Cora: 0.1.
        activation: After each layer; "prelu" has a slope that is learnt.
        batch_norm: Whether each layer is normalised over the nodes of the graph before the activation, as in BGRL.
        dropout: Share of the inputs of each layer that is zero in training; GraphMAE on Cora: 0.2.
    """

    takes_context = True
    hides = ("replace", "swap")
    classes = 0

    def __init__(
        self,
        *,
        inputs: Count,
        width: Count = 128,
        hidden: Count | None = None,
        layers: Count = 2,
        conv: Convolution = "gcn",
        heads: Count = 1,
        attention_dropout: Share = 0.0,
        activation: Literal["relu", "prelu"] = "relu",
        batch_norm: bool = False,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        hidden = width if hidden is None else hidden
        if width % heads or hidden % heads:
            raise ValueError(f"width {width} and hidden {hidden} have to be multiples of the {heads} heads")
        self.width = self.token_width = width
        self.mask_width = self.value_width = inputs
        widths = [inputs, *[hidden] * (layers - 1), width]
        self.convs = nn.ModuleList(
            convolution(conv, a, b, heads=heads, attention_dropout=attention_dropout)
            for a, b in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(out) if batch_norm else nn.Identity() for out in widths[1:])
        self.activations = nn.ModuleList(nn.PReLU() if activation == "prelu" else nn.ReLU() for _ in widths[1:])
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Tensor, context: Graph) -> coview.Encoding:
        """The representations of the nodes of each sample, and their mean."""
        return self.encode_tokens(batch, context, None)

    def token_layout(self, batch: Tensor, context: Graph) -> coview.TokenLayout:
        """A row of tokens, one for each node of a sample."""
        real_NT = batch != PADDING
        return coview.TokenLayout(real_NT, real_NT, (batch.shape[1],))

    def token_values(self, batch: Tensor, context: Graph) -> Tensor:
        """The features of the nodes, ``(N, T, F)``."""
        return context.x_NF[batch.clamp(min=0)]

    def encode_tokens(
        self,
        batch: Tensor,
        context: Graph,
        mask: coview.TokenMask | None,
        *,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> coview.Encoding:
        """The same where some nodes are hidden. Of each sample only its own nodes are hidden from it, so that it does
        not depend on the others in the batch: each has a pass through the graph."""
        if mask is None:
            return self._encoded(context.x_NF, batch, context, layers)
        rows = []
        for row in range(len(batch)):
            of_row = slice(row, row + 1)
            x_NF = _hidden(context.x_NF, batch[of_row], mask.map_tensors(itemgetter(of_row)), mask_token_D)
            rows.append(self._encoded(x_NF, batch[of_row], context, layers))
        return coview.Encoding(
            torch.cat([row.pooled_ND for row in rows]),
            torch.cat([row.tokens_NTD for row in rows]),
            batch != PADDING,
            tuple(torch.cat(layer) for layer in zip(*(row.layers_LNTD for row in rows), strict=True)),
        )

    def _encoded(self, x_ND: Tensor, batch: Tensor, context: Graph, layers: int) -> coview.Encoding:
        made = []
        for conv, norm, activation in zip(self.convs, self.norms, self.activations, strict=True):
            x_ND = activation(norm(conv(self.dropout(x_ND), context.edges_2E)))
            made.append(x_ND)
        real_NT = batch != PADDING
        *_, tokens_NTD = last = [x[batch.clamp(min=0)] for x in made[-max(layers, 1) :]]
        of_real_NTD = tokens_NTD * real_NT[..., None]
        pooled_ND = of_real_NTD.sum(1) / real_NT.sum(1, keepdim=True).clamp(min=1)
        return coview.Encoding(pooled_ND, tokens_NTD, real_NT, tuple(last[len(last) - layers :]))


def _hidden(x_NF: Tensor, batch_NT: Tensor, mask: coview.TokenMask, mask_token_F: Tensor | None) -> Tensor:
    """The features of all nodes of the graph, where some nodes are hidden."""
    if mask.swap_NT is not None:
        is_swapped_NT = mask.swap_NT >= 0
        other_K = (mask.swap_NT[is_swapped_NT] * len(x_NF)).long()
        x_NF = x_NF.index_put((batch_NT[is_swapped_NT],), x_NF[other_K])
    if mask_token_F is not None:
        is_replaced_N1 = torch.zeros(len(x_NF), 1, dtype=torch.bool, device=x_NF.device)
        is_replaced_N1[batch_NT[mask.replaced_NT]] = True
        x_NF = torch.where(is_replaced_N1, mask_token_F.to(x_NF.dtype), x_NF)
    return x_NF
