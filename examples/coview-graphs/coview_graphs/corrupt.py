"""What makes views of a node: the graph around it, corrupted."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Lt

import coview
from coview_graphs.graph import Graph


class Corrupt:
    """Drops edges, and hides features of all nodes: GRACE's views (Zhu et al., arXiv:2006.04131, section 3.2.1).

    The graph of a view is drawn once for all nodes of a batch.

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
        device = context.features_NF.device
        kept_E = torch.from_numpy(rng.numpy.random(context.edges_2E.shape[1]) >= self.edges).to(device)
        kept_F = torch.from_numpy(rng.numpy.random(context.features_NF.shape[1]) >= self.features).to(device)
        return Graph(context.features_NF * kept_F, context.edges_2E[:, kept_E])
