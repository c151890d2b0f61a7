"""Citation graphs in the files of Planetoid (Yang et al., arXiv:1603.08861), with its official splits."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse
import torch

import coview
from coview_graphs.graph import Graph
from coview_graphs.nodes import Node

_VALIDATION = 500


class Planetoid:
    """Each sample is a node; the graph, with the nodes of all splits, is the context of all samples.

    ``train`` has all nodes that are in neither of the others; only the official ones of them (20 for each class) have
    a class. ``validation`` has 500 nodes, ``test`` 1,000.

    Args:
        root: The folder with ``ind.cora.x`` and the other files.
        name: Which graph.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    modalities: tuple[str, ...] = ("node",)
    citation = "Yang, Cohen and Salakhutdinov, Revisiting semi-supervised learning with graph embeddings, ICML 2016"
    licence = "MIT"

    def __init__(self, *, split: str = "train", root: Path, name: str = "cora") -> None:
        coview.check_split(split, self.splits)
        files = {part: coview.expanded(root) / f"ind.{name}.{part}" for part in _PARTS}
        read = {part: _read(path) for part, path in files.items()}
        self.version = hashlib.sha256(b"".join(path.read_bytes() for path in files.values())).hexdigest()[:16]
        features_NF, scores_NC, edges_2E, test_K = _in_order(read)
        self.classes: tuple[str, ...] | None = tuple(f"class {number}" for number in range(scores_NC.shape[1]))
        self._features_NF = features_NF
        class_N = np.where(scores_NC.any(1), scores_NC.argmax(1), -1)
        official = len(read["y"])
        held = np.arange(official, min(official + _VALIDATION, len(read["ally"])))
        rest = np.setdiff1d(np.arange(len(class_N)), np.concatenate([held, test_K]))
        self._rows = {"train": rest, "validation": held, "test": np.sort(test_K)}[split]
        labels = class_N[self._rows]
        self.labels = np.where(self._rows < official, labels, -1) if split == "train" else labels
        self.context = Graph(torch.from_numpy(features_NF), torch.from_numpy(edges_2E))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        node, label = int(self._rows[index]), int(self.labels[index])
        value = Node(node, self._features_NF[node])
        return coview.Sample({"node": value}, id=node, label=None if label < 0 else label)


_PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")


def _in_order(read: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features with rows of sum 1, one-hot classes, edges and test nodes, by the numbers of the nodes.

    The rows of ``tx`` are in the order of ``test.index``. CiteSeer's test nodes have gaps: these are in no paper's
    words, and belong to no class.
    """
    test_K = np.asarray(read["test.index"], dtype=np.int64)
    nodes = int(max(test_K.max() + 1, read["allx"].shape[0]))
    features_NF = np.zeros((nodes, read["allx"].shape[1]), dtype=np.float32)
    scores_NC = np.zeros((nodes, read["ally"].shape[1]), dtype=np.int64)
    for features, scores, rows in (
        (read["allx"], read["ally"], np.arange(read["allx"].shape[0])),
        (read["tx"], read["ty"], test_K),
    ):
        features_NF[rows], scores_NC[rows] = features.toarray(), scores
    features_NF /= np.maximum(features_NF.sum(1, keepdims=True), 1e-12)
    edges = {(min(a, b), max(a, b)) for a, others in read["graph"].items() for b in others if a != b}
    return features_NF, scores_NC, np.array(sorted(edges), dtype=np.int64).T.reshape(2, -1), test_K


def _read(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise coview.CoviewError(
            f"{path} cannot be read: {error.strerror}",
            hint="root has to be the folder data of https://github.com/kimiyoung/planetoid",
        ) from error
    if path.name.endswith(".index"):
        return [int(line) for line in content.split()]
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, ImportError, IndexError) as error:
        raise coview.CoviewError(f"{path} is none of Planetoid's files: {error}") from error


class _Unpickler(pickle.Unpickler):
    """Reads what these files hold, and runs no other code."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("scipy.sparse") and name == "csr_matrix":
            return scipy.sparse.csr_matrix
        if (module, name) in _ALLOWED or (module.startswith("numpy") and name in _OF_NUMPY):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


_ALLOWED = {
    ("collections", "defaultdict"),
    ("builtins", "list"),
    ("builtins", "object"),
    ("__builtin__", "list"),
    ("__builtin__", "object"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "_reconstructor"),
    ("_codecs", "encode"),
}
_OF_NUMPY = {"_reconstruct", "ndarray", "dtype", "scalar"}
