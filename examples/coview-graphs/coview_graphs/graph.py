"""The graph that all samples share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Graph:
    """Nodes and edges.  N node · F feature · E edge.

    Attributes:
        features_NF: float32.
        edges_2E: int64, from and to, each undirected edge once.
    """

    features_NF: Tensor
    edges_2E: Tensor

    def to(self, device: torch.device) -> Graph:
        """On another device."""
        return Graph(self.features_NF.to(device), self.edges_2E.to(device))

    def adjacency(self) -> Tensor:
        """Sparse, with an edge from each node to itself: D^-1/2 (A + I) D^-1/2 (Kipf and Welling, equation 2)."""
        nodes = len(self.features_NF)
        own = torch.arange(nodes, device=self.edges_2E.device)
        from_E = torch.cat([self.edges_2E[0], self.edges_2E[1], own])
        to_E = torch.cat([self.edges_2E[1], self.edges_2E[0], own])
        degree_N = torch.zeros(nodes, device=own.device).index_add(0, to_E, torch.ones(len(to_E), device=own.device))
        weights_E = (degree_N[from_E] * degree_N[to_E]).rsqrt()
        return torch.sparse_coo_tensor(torch.stack([to_E, from_E]), weights_E, (nodes, nodes), check_invariants=False)
