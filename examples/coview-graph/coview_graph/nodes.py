"""The modality: what a node of a graph is to coview."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

PADDING = -1
"""In place of the number of a node."""


class Nodes(NamedTuple):
    """One node of a graph, or several that are one sample.

    Attributes:
        numbers: Which nodes of the graph, ``(T,)`` int64.
        features: The mean of their features, ``(F,)`` float32: what is known of them without the graph.
    """

    numbers: np.ndarray
    features: np.ndarray


class NodesOfOneGraph:
    """Nodes of one graph: a batch has their numbers, by which an encoder finds them in the graph."""

    def collate(self, values: Sequence[Nodes], /) -> Tensor:
        """``(N, T)`` int64; rows of fewer nodes end in -1."""
        numbers = [torch.from_numpy(nodes.numbers) for nodes in values]
        return torch.nn.utils.rnn.pad_sequence(numbers, batch_first=True, padding_value=PADDING)

    def describe(self, value: Nodes, /) -> str:
        """Which nodes they are, and how many features they have."""
        which = f"node {value.numbers[0]}" if len(value.numbers) == 1 else f"{len(value.numbers):,} nodes"
        return f"{which}, {np.count_nonzero(value.features)} of {len(value.features)} features"

    def fit_raw(self, values: Iterable[Nodes], /) -> Callable[[Sequence[Nodes]], np.ndarray]:
        """The features of the nodes themselves, without the graph."""
        return lambda some: np.stack([nodes.features for nodes in some])

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Nodes]], step: int, /) -> None:
        """A line for each sample."""
        writer.add_text(tag, "\n\n".join(self.describe(row[0]) for row in rows), step)

    def to_html(self, value: Nodes, /) -> str:
        """The same as text."""
        return f"<p>{self.describe(value)}</p>"
