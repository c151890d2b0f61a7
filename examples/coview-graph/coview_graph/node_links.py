"""Citation graphs without some of their edges, which are to be found again: link prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt

import coview
from coview_graph.graph import Graph, in_both_directions
from coview_graph.nodes import Nodes
from coview_graph.planetoid import CITATION
from coview_graph.planetoid_files import read_planetoid


class NodeLinks:
    """Each sample is a node, in each split. The context is the graph without the edges that are held out.

    ``validation`` and ``test`` have ``pairs``: their share of the edges, which have the score 1, and as many pairs of
    nodes without an edge, which have the score 0. The shares are those of VGAE (Kipf and Welling, arXiv:1611.07308,
    section 3): 5 % and 10 %.

    Args:
        root: The folder with ``ind.cora.x`` and the other files.
        name: Which graph: cora, citeseer or pubmed.
        validation: Share of the edges that ``validation`` has.
        test: Share of the edges that ``test`` has.
        seed: Of the draw of these edges; not the run's, so that all runs have the same.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    modalities: tuple[str, ...] = ("node",)
    classes = None
    labelled = False
    citation = CITATION
    licence = "MIT"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        name: str = "cora",
        validation: Annotated[float, Gt(0), Lt(0.5)] = 0.05,
        test: Annotated[float, Gt(0), Lt(0.5)] = 0.1,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        read = read_planetoid(root, name)
        self.version = f"{read.version}-{validation:g}-{test:g}-{seed}"
        rng = np.random.default_rng(seed)
        shuffled_2E = rng.permutation(read.edges_2E, axis=1)
        edges = shuffled_2E.shape[1]
        counts = {"validation": int(edges * validation), "test": int(edges * test)}
        absent_2E = _without_edge(read.edges_2E, len(read.x_NF), sum(counts.values()), rng)
        self.pairs: coview.Pairs | None = None
        first = 0
        for name_of_split, count in counts.items():
            if split == name_of_split:
                part = slice(first, first + count)
                both_2P = np.concatenate([shuffled_2E[:, part], absent_2E[:, part]], axis=1)
                self.pairs = coview.Pairs(*both_2P, np.repeat([1.0, 0.0], count))
            first += count
        self._x_NF = read.x_NF
        kept_2E = torch.from_numpy(shuffled_2E[:, first:])
        self.context = Graph(torch.from_numpy(read.x_NF), in_both_directions(kept_2E))

    def __len__(self) -> int:
        return len(self._x_NF)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return coview.Sample({"node": Nodes(np.array([index]), self._x_NF[index])}, id=index)


def _without_edge(edges_2E: np.ndarray, nodes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Different pairs of different nodes between which there is no edge, ``(2, count)``, the lower number first.

    Raises:
        coview.CoviewError: If the graph has too few of them.
    """
    taken = set(map(tuple, edges_2E.T.tolist()))
    if nodes * (nodes - 1) // 2 - len(taken) < count:
        raise coview.CoviewError(f"fewer than {count} pairs of the {nodes} nodes have no edge", hint="hold out less")
    found: list[tuple[int, int]] = []
    while len(found) < count:
        for a, b in np.sort(rng.integers(nodes, size=(count, 2)), axis=1).tolist():
            if a != b and (a, b) not in taken and len(found) < count:
                taken.add((a, b))
                found.append((a, b))
    return np.array(found, dtype=np.int64).T
