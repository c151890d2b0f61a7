"""What makes views of the nodes of one graph: the graph around them is changed."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor

import coview
from coview_graph.graph import Graph


class Corrupt:
    """Drops edges, and sets features of all nodes to zero: GRACE's views (Zhu et al., arXiv:2006.04131, section 3.2.1).

    The graph of a view is drawn once for all nodes of a batch. An undirected edge is dropped in both directions.

    Args:
        edges: Share of the edges that are dropped; GRACE on Cora: 0.2 and 0.4.
        features: Share of the features that are zero in all nodes; GRACE on Cora: 0.3 and 0.4.
    """

    of_context = True

    def __init__(
        self, *, edges: Annotated[float, Ge(0), Lt(1)] = 0.2, features: Annotated[float, Ge(0), Lt(1)] = 0.3
    ) -> None:
        self.edges, self.features = edges, features

    def __call__(self, context: Graph, rng: coview.Rng, /) -> Graph:
        """The graph of a view."""
        from_E, to_E = context.edges_2E.cpu()
        kept_E = torch.from_numpy(rng.numpy.random(len(from_E)) >= self.edges)
        kept_E = kept_E[_first_direction(from_E, to_E)]
        kept_F = torch.from_numpy(rng.numpy.random(context.x_NF.shape[1]) >= self.features)
        device = context.x_NF.device
        return Graph(context.x_NF * kept_F.to(device), context.edges_2E[:, kept_E.to(device)])


def _first_direction(from_E: Tensor, to_E: Tensor) -> Tensor:
    """For each directed edge where its undirected edge is first, so that both directions share a draw."""
    nodes = int(max(from_E.max(), to_E.max())) + 1 if len(from_E) else 0
    key_E = torch.minimum(from_E, to_E) * nodes + torch.maximum(from_E, to_E)
    unique_U, of_E = key_E.unique(return_inverse=True)
    place_E = torch.arange(len(key_E))
    return torch.full((len(unique_U),), len(key_E)).scatter_reduce(0, of_E, place_E, "amin")[of_E]


class ShuffleFeatures:
    """Gives each node the features of another node, and leaves the edges: DGI's corruption (Veličković et al.,
    arXiv:1809.10341, section 4.2).

    The order is drawn once for all nodes of a batch.
    """

    of_context = True

    def __call__(self, context: Graph, rng: coview.Rng, /) -> Graph:
        """The graph of a view."""
        order_N = torch.from_numpy(rng.numpy.permutation(len(context)))
        return Graph(context.x_NF[order_N.to(context.x_NF.device)], context.edges_2E)
