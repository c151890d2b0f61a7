"""Graph data sets in the text files of TU Dortmund (Morris et al., arXiv:2007.08663), read by PyTorch Geometric."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge
from sklearn.model_selection import StratifiedKFold

import coview
from coview_graph.pyg import degree, one_hot, read_tu_data
from coview_graph.whole_graphs import WholeGraph

_FEWEST = ("A", "graph_indicator", "graph_labels")


class TU:
    """Each sample is a graph. The features of a node are its attributes and its label; where a data set has neither,
    its number of neighbours, as one of several classes.

    These data have no official split. ``test`` is one fold of a stratified partition, as in the published protocol,
    which is the mean over ten folds: ``[sweep.grid]`` with ``"data.fold"``.

    Args:
        root: The folder with ``NAME_A.txt``, ``NAME_graph_indicator.txt``, ``NAME_graph_labels.txt`` and others.
        name: Which data set, such as MUTAG.
        folds: How many parts there are; at least 2.
        fold: The part that is ``test``, counted from 0.
        degrees: How many classes of numbers of neighbours there are, for data without features; the last class is of
            all larger numbers.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("graph",)
    citation = "Morris et al., TUDataset: a collection of benchmark datasets for learning with graphs, 2020"
    licence = "unknown"

    def __init__(
        self,
        *,
        split: str = "train",
        root: Path,
        name: str = "MUTAG",
        folds: Annotated[int, Ge(2)] = 10,
        fold: Annotated[int, Ge(0)] = 0,
        degrees: Annotated[int, Ge(2)] = 16,
    ) -> None:
        coview.check_split(split, self.splits)
        if fold >= folds:
            raise ValueError(f"fold = {fold} is not one of the {folds} folds, which are counted from 0")
        folder = coview.expanded(root)
        self._graphs, class_N, self.version = _read(folder, name, degrees)
        names = np.unique(class_N)
        self.classes: tuple[str, ...] | None = tuple(f"class {number}" for number in names)
        if min(np.bincount(class_N)) < folds:
            raise coview.CoviewError(
                f"{folder}: a class of {name} has {min(np.bincount(class_N))} graphs, and there are {folds} folds",
                hint="set folds to a smaller number",
            )
        parts = StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(class_N)), class_N)
        train, test = list(parts)[fold]
        self._rows = {"train": train, "test": test}[split]
        self.version = f"{self.version}-{fold}-{folds}-{degrees}"
        self.labels = class_N[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row = int(self._rows[index])
        return coview.Sample({"graph": self._graphs[row]}, id=row, label=int(self.labels[index]))


def _read(folder: Path, name: str, degrees: int) -> tuple[list[WholeGraph], np.ndarray, str]:
    """The graphs, the class of each, and a hash of the files."""
    files = sorted(folder.glob(f"{name}_*.txt"))
    there = {path.stem.removeprefix(f"{name}_") for path in files}
    if missing := [f"{name}_{part}.txt" for part in _FEWEST if part not in there]:
        raise coview.CoviewError(
            f"{folder} has no {', '.join(missing)}",
            hint="root has to be the folder of one data set of https://chrsmrrs.github.io/datasets, unpacked",
        )
    try:
        data, slices, _ = read_tu_data(str(folder), name)
        sizes = np.bincount(np.loadtxt(folder / f"{name}_graph_indicator.txt", dtype=np.int64) - 1)
    except (ValueError, IndexError, RuntimeError, KeyError) as error:
        raise coview.CoviewError(f"{folder}: PyTorch Geometric cannot read {name}: {error}") from error
    graphs = []
    first = 0
    for count, (first_edge, last_edge) in zip(sizes.tolist(), itertools.pairwise(slices["edge_index"]), strict=True):
        edges_2E = data.edge_index[:, first_edge:last_edge]
        if data.x is None or not data.x.shape[1]:
            x_NF = one_hot(degree(edges_2E[0], count).long().clamp(max=degrees - 1), degrees)
        else:
            x_NF = data.x[first : first + count]
        first += count
        graphs.append(WholeGraph(x_NF.float().numpy(), edges_2E.contiguous().numpy()))
    class_N = torch.unique(data.y, return_inverse=True)[1].numpy()
    return graphs, class_N, hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
