"""The graph that all samples share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Graph:
    """The nodes and edges of one graph.  N node · F feature · E directed edge.

    PyTorch Geometric's ``Data`` moves itself to a device in place; this one makes a new graph there.

    Attributes:
        x_NF: float32, the features of the nodes.
        edges_2E: int64, from and to. Each undirected edge is there in both directions, and no edge leads from a node to
            itself.
    """

    x_NF: Tensor
    edges_2E: Tensor

    def to(self, device: torch.device) -> Graph:
        """The same graph on another device."""
        return Graph(self.x_NF.to(device), self.edges_2E.to(device))

    def __len__(self) -> int:
        return len(self.x_NF)


def in_both_directions(edges_2E: Tensor) -> Tensor:
    """Undirected edges, each given once, as two directed edges."""
    return torch.cat([edges_2E, edges_2E.flip(0)], dim=1)
