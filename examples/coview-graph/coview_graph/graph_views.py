"""What makes views of a whole graph: the four augmentations of GraphCL (You et al., arXiv:2010.13902, section 3.1).

Each changes a share of the graph: 0.2 in the paper. Features are copied, and edges keep both of their directions.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Lt

import coview
from coview_graph.whole_graphs import NO_NODE, WholeGraph

Share = Annotated[float, Ge(0), Lt(1)]


class DropNodes:
    """Leaves out some nodes, with their edges.

    Args:
        share: Of the nodes; at least one node stays.
    """

    def __init__(self, *, share: Share = 0.2) -> None:
        self.share = share

    def __call__(self, value: WholeGraph, rng: coview.Rng, /) -> WholeGraph:
        """The graph without them."""
        nodes = len(value.x_NF)
        kept = nodes - min(int(self.share * nodes), nodes - 1)
        return induced(value, np.sort(rng.numpy.permutation(nodes)[:kept]))


class PerturbEdges:
    """Takes some edges out, and puts as many in between other nodes.

    Args:
        share: Of the undirected edges.
    """

    def __init__(self, *, share: Share = 0.2) -> None:
        self.share = share

    def __call__(self, value: WholeGraph, rng: coview.Rng, /) -> WholeGraph:
        """The graph with other edges."""
        nodes = len(value.x_NF)
        own_2U = value.edges_2E[:, value.edges_2E[0] < value.edges_2E[1]]
        changed = int(self.share * own_2U.shape[1])
        kept_2U = own_2U[:, np.sort(rng.numpy.permutation(own_2U.shape[1])[changed:])]
        taken = set(map(tuple, own_2U.T.tolist()))
        free = np.array([pair for pair in zip(*np.triu_indices(nodes, 1), strict=True) if pair not in taken])
        drawn = rng.numpy.permutation(len(free))[:changed]
        new_2U = free.reshape(-1, 2)[drawn].T.astype(np.int64)
        edges_2U = np.concatenate([kept_2U, new_2U], axis=1)
        return WholeGraph(value.x_NF, np.concatenate([edges_2U, edges_2U[::-1]], axis=1))


class MaskAttributes:
    """Replaces the features of some nodes by normal noise with the mean 0.5 and the standard deviation 0.5, as the
    authors' code for TU data sets does.

    Args:
        share: Of the nodes.
    """

    def __init__(self, *, share: Share = 0.2) -> None:
        self.share = share

    def __call__(self, value: WholeGraph, rng: coview.Rng, /) -> WholeGraph:
        """The graph with other features."""
        nodes, width = value.x_NF.shape
        masked = rng.numpy.permutation(nodes)[: int(self.share * nodes)]
        x_NF = value.x_NF.copy()
        x_NF[masked] = rng.numpy.normal(0.5, 0.5, (len(masked), width))
        return WholeGraph(x_NF, value.edges_2E)


class Subgraph:
    """Keeps the nodes that are reached from a random node, one random neighbour of those reached after the other.

    Args:
        share: Of the nodes that is left out; more where the part of the graph around the first node is smaller.
    """

    def __init__(self, *, share: Share = 0.2) -> None:
        self.share = share

    def __call__(self, value: WholeGraph, rng: coview.Rng, /) -> WholeGraph:
        """The part of the graph."""
        nodes = len(value.x_NF)
        wanted = max(nodes - int(self.share * nodes), 1)
        from_E, to_E = value.edges_2E
        reached = np.zeros(nodes, dtype=bool)
        reached[rng.numpy.integers(nodes)] = True
        for _ in range(wanted - 1):
            border = np.unique(to_E[reached[from_E] & ~reached[to_E]])
            if not len(border):
                break
            reached[rng.numpy.choice(border)] = True
        return induced(value, np.flatnonzero(reached))


class PickNode:
    """Lets a random node stand for the graph: its representation is then that of the view. For InfoGraph.

    It has to come after steps that change the graph.
    """

    def __call__(self, value: WholeGraph, rng: coview.Rng, /) -> WholeGraph:
        """The same graph, with a node."""
        return value._replace(node=int(rng.numpy.integers(len(value.x_NF))))


def induced(graph: WholeGraph, kept_K: np.ndarray) -> WholeGraph:
    """The part of a graph that some of its nodes are, with all edges between them.

    Args:
        graph: The graph.
        kept_K: The nodes, ascending.
    """
    place_N = np.full(len(graph.x_NF), NO_NODE)
    place_N[kept_K] = np.arange(len(kept_K))
    edges_2E = place_N[graph.edges_2E]
    return WholeGraph(graph.x_NF[kept_K], np.ascontiguousarray(edges_2E[:, (edges_2E != NO_NODE).all(0)]))
