"""Reads Planetoid's files (Yang et al., arXiv:1603.08861) without running code that is in them."""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

import coview

_PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")


@dataclass(frozen=True)
class Citations:
    """A citation graph.  N node · F feature · C class · E undirected edge · K test node.

    Attributes:
        x_NF: float32; each row has the sum 1, or is zero.
        class_N: int64, -1 for a node without a class.
        classes: How many classes there are.
        edges_2E: int64, each edge once, the lower number first, ascending.
        official: How many nodes, from the first on, are the labelled nodes of the official split.
        known: How many nodes, from the first on, can be taken for validation.
        test_K: The test nodes, ascending.
        version: A hash of the files.
    """

    x_NF: np.ndarray
    class_N: np.ndarray
    classes: int
    edges_2E: np.ndarray
    official: int
    known: int
    test_K: np.ndarray
    version: str


def read_planetoid(root: Path, name: str) -> Citations:
    """Reads ``ind.NAME.x`` and the seven other files.

    The rows of ``tx`` are in the order of ``test.index``. The test nodes of CiteSeer have gaps: the nodes in these gaps
    have no features and no class.

    Raises:
        coview.CoviewError: If a file is missing, or is not one of Planetoid's.
    """
    files = {part: coview.expanded(root) / f"ind.{name}.{part}" for part in _PARTS}
    read = {part: _read(path) for part, path in files.items()}
    test_K = np.asarray(read["test.index"], dtype=np.int64)
    known = int(read["allx"].shape[0])
    nodes = int(max(test_K.max() + 1, known))
    x_NF = np.zeros((nodes, read["allx"].shape[1]), dtype=np.float32)
    scores_NC = np.zeros((nodes, read["ally"].shape[1]), dtype=np.int64)
    for features, scores, rows in (
        (read["allx"], read["ally"], np.arange(known)),
        (read["tx"], read["ty"], test_K),
    ):
        x_NF[rows], scores_NC[rows] = features.toarray(), scores
    x_NF /= np.maximum(x_NF.sum(1, keepdims=True), 1e-12)
    edges = {(min(a, b), max(a, b)) for a, others in read["graph"].items() for b in others if a != b}
    return Citations(
        x_NF,
        np.where(scores_NC.any(1), scores_NC.argmax(1), -1),
        scores_NC.shape[1],
        np.array(sorted(edges), dtype=np.int64).T.reshape(2, -1),
        len(read["y"]),
        known,
        np.sort(test_K),
        hashlib.sha256(b"".join(path.read_bytes() for path in files.values())).hexdigest()[:16],
    )


def _read(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise coview.CoviewError(
            f"{path} cannot be read: {error.strerror}",
            hint="root has to be the folder data of https://github.com/kimiyoung/planetoid",
        ) from error
    try:
        if path.name.endswith(".index"):
            return [int(line) for line in content.split()]
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, ImportError, IndexError) as error:
        raise coview.CoviewError(f"{path} is not a file of Planetoid: {error}") from error


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
