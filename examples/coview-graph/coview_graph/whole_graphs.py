"""The modality of whole graphs: a sample is a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coview_graph.pyg import unbatch, unbatch_edge_index

NO_NODE = -1
"""In place of the number of a node that represents its graph."""


class WholeGraph(NamedTuple):
    """A graph.  N node · F feature · E directed edge.

    Attributes:
        x_NF: float32, the features of the nodes.
        edges_2E: int64, from and to; an undirected edge is there in both directions.
        node: The node whose representation stands for the graph; -1: all nodes together.
    """

    x_NF: np.ndarray
    edges_2E: np.ndarray
    node: int = NO_NODE


@dataclass(frozen=True)
class GraphBatch:
    """Several graphs as one, whose parts have no edges between them: a :class:`coview.StructuredBatch`.

    Attributes:
        x_NF: The features of the nodes of all graphs, one graph below the other.
        edges_2E: The edges between these nodes, graph by graph.
        graph_N: Which graph each node is of.
        node_G: The node of each graph that represents it, counted from the first node of the graph; -1: none.
    """

    x_NF: Tensor
    edges_2E: Tensor
    graph_N: Tensor
    node_G: Tensor

    @classmethod
    def of(cls, x: Sequence[Tensor], edges: Sequence[Tensor], node_G: Tensor) -> GraphBatch:
        """A batch of the features and the edges of each graph."""
        sizes_G = torch.tensor([len(x_NF) for x_NF in x])
        graph_N = torch.arange(len(x)).repeat_interleave(sizes_G)
        firsts = (sizes_G.cumsum(0) - sizes_G).tolist()
        moved = [edges_2E + first for edges_2E, first in zip(edges, firsts, strict=True)]
        return cls(torch.cat(list(x)), torch.cat(moved, 1), graph_N.to(x[0].device), node_G)

    def __len__(self) -> int:
        return len(self.node_G)

    def select(self, rows: Tensor, /) -> GraphBatch:
        """Some of the graphs, in another order."""
        x = unbatch(self.x_NF, self.graph_N, batch_size=len(self))
        edges = unbatch_edge_index(self.edges_2E, self.graph_N, batch_size=len(self))
        chosen = rows.tolist()
        return GraphBatch.of([x[row] for row in chosen], [edges[row] for row in chosen], self.node_G[rows])

    def to(self, device: torch.device, /) -> GraphBatch:
        """The same batch on another device."""
        return self._changed(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> GraphBatch:
        """The same batch in memory from which a GPU reads without waiting."""
        return self._changed(Tensor.pin_memory)

    def _changed(self, change: Callable[[Tensor], Tensor]) -> GraphBatch:
        names = ("x_NF", "edges_2E", "graph_N", "node_G")
        return replace(self, **{name: change(getattr(self, name)) for name in names})


class WholeGraphs:
    """Graphs of different sizes."""

    def collate(self, values: Sequence[WholeGraph], /) -> GraphBatch:
        """A structured batch."""
        return GraphBatch.of(
            [torch.from_numpy(graph.x_NF) for graph in values],
            [torch.from_numpy(graph.edges_2E) for graph in values],
            torch.tensor([graph.node for graph in values]),
        )

    def describe(self, value: WholeGraph, /) -> str:
        """How many nodes and edges it has."""
        said = f"{len(value.x_NF)} nodes, {value.edges_2E.shape[1] // 2} edges"
        return said if value.node == NO_NODE else f"node {value.node} of {said}"

    def fit_raw(self, values: Iterable[WholeGraph], /) -> Callable[[Sequence[WholeGraph]], np.ndarray]:
        """The sum of the features of the nodes, and the numbers of nodes and edges: what is known without the edges'
        ends."""
        return lambda some: np.stack(
            [np.concatenate([g.x_NF.sum(0), [len(g.x_NF), g.edges_2E.shape[1] / 2]]).astype(np.float32) for g in some]
        )

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[WholeGraph]], step: int, /) -> None:
        """A line for each view."""
        writer.add_text(tag, "\n\n".join(self.describe(view) for row in rows for view in row), step)

    def to_html(self, value: WholeGraph, /) -> str:
        """The same as text."""
        return f"<p>{self.describe(value)}</p>"
