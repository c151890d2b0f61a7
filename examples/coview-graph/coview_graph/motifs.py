"""Graphs with a motif in them, made by networkx: a data set that needs no file."""

from __future__ import annotations

from typing import Annotated, ClassVar

import networkx as nx
import numpy as np
from annotated_types import Ge

import coview
from coview_graph.whole_graphs import WholeGraph

HOUSE = nx.house_graph()
BIPARTITE = nx.complete_bipartite_graph(2, 3)
"""As many nodes and edges, of the same degrees: the features of the nodes do not tell the two apart."""

DEGREES = 8


class Motifs:
    """Each sample is a random tree with some copies of a motif at its nodes. Its class is the motif.

    The motifs are a house and a complete bipartite graph of two and three nodes. Both have five nodes and six edges, of
    the same degrees. The features of a node are its degree, as one of eight classes, so that the classes differ in how
    nodes are connected and in nothing else.

    Args:
        size: How many graphs there are in ``train``; ``test`` has half as many.
        copies: Of the motif in each graph.
        seed: Of the graphs; not the run's, so that all runs have the same.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("graph",)
    classes: tuple[str, ...] | None = ("house", "bipartite")
    citation = "none"
    licence = "CC0"

    def __init__(
        self,
        *,
        split: str = "train",
        size: Annotated[int, Ge(4)] = 600,
        copies: Annotated[int, Ge(1)] = 3,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        self.version = f"1-{size}-{copies}-{seed}"
        self._first = 0 if split == "train" else size
        count = size if split == "train" else size // 2
        self.labels = np.arange(count) % 2
        self._seeds = [(seed, self._first + number) for number in range(count)]
        self._copies = copies

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int, /) -> coview.Sample:
        graph = planted(np.random.default_rng(self._seeds[index]), int(self.labels[index]), self._copies)
        return coview.Sample({"graph": graph}, id=self._first + index, label=int(self.labels[index]))


def planted(rng: np.random.Generator, label: int, copies: int) -> WholeGraph:
    """A tree of 10 to 20 nodes with some copies of a motif, each connected by one edge."""
    size = int(rng.integers(10, 21))
    graph = nx.Graph([(int(rng.integers(node)), node) for node in range(1, size)])
    for _ in range(copies):
        first = len(graph)
        motif = (HOUSE, BIPARTITE)[label]
        graph.add_edges_from((first + a, first + b) for a, b in motif.edges)
        graph.add_edge(int(rng.integers(size)), first + int(rng.integers(len(motif))))
    nodes = sorted(graph)
    degree_N = np.minimum([graph.degree[node] for node in nodes], DEGREES - 1)
    edges_E2 = np.array(sorted((*graph.edges, *((b, a) for a, b in graph.edges))), dtype=np.int64)
    return WholeGraph(np.eye(DEGREES, dtype=np.float32)[degree_N], np.ascontiguousarray(edges_E2.T))
