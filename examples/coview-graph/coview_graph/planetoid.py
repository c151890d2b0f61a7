"""Citation graphs with their official splits: each sample is a node."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch

import coview
from coview_graph.graph import Graph, in_both_directions
from coview_graph.nodes import Nodes
from coview_graph.planetoid_files import read_planetoid

VALIDATION = 500
"""Nodes of the validation split."""

CITATION = "Yang, Cohen and Salakhutdinov, Revisiting semi-supervised learning with graph embeddings, ICML 2016"


class Planetoid:
    """Each sample is a node. The graph, with the nodes of all splits, is the context of all samples.

    ``validation`` has 500 nodes and ``test`` 1,000. In ``train``, only the official training nodes (20 of each class)
    have a class.

    Args:
        root: The folder with ``ind.cora.x`` and the other files.
        name: Which graph: cora, citeseer or pubmed.
        train: What ``train`` has. "rest": each node that is in neither of the other splits. "all": each node, as the
            papers train. "graph": one sample that is all nodes, for a mask that hides some of them.
        labelled: Which nodes of ``train`` have a class. "official": those of the official split. "all": all of them,
            for ``random_splits``.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    modalities: tuple[str, ...] = ("node",)
    citation = CITATION
    licence = "MIT"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        name: str = "cora",
        train: Literal["rest", "all", "graph"] = "rest",
        labelled: Literal["official", "all"] = "official",
    ) -> None:
        coview.check_split(split, self.splits)
        read = read_planetoid(root, name)
        self.version = read.version if train == "rest" else f"{read.version}-{train}"
        if labelled == "all":
            self.version += "-labelled"
        self.classes: tuple[str, ...] | None = tuple(f"class {number}" for number in range(read.classes))
        nodes = np.arange(len(read.x_NF))
        held = np.arange(read.official, min(read.official + VALIDATION, read.known))
        rest = np.setdiff1d(nodes, np.concatenate([held, read.test_K]))
        of_train = {"rest": list(rest[:, None]), "all": list(nodes[:, None]), "graph": [nodes]}[train]
        self._rows = {"train": of_train, "validation": list(held[:, None]), "test": list(read.test_K[:, None])}[split]
        hides = split == "train" and labelled == "official"
        of_class = np.where(nodes < read.official, read.class_N, -1) if hides else read.class_N
        self.labels = np.array([of_class[row[0]] if len(row) == 1 else -1 for row in self._rows])
        self._x_NF = read.x_NF
        self.context = Graph(torch.from_numpy(read.x_NF), in_both_directions(torch.from_numpy(read.edges_2E)))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        numbers, label = self._rows[index], int(self.labels[index])
        value = Nodes(numbers, self._x_NF[numbers].mean(0))
        return coview.Sample({"node": value}, id=int(numbers[0]), label=None if label < 0 else label)
