"""The modality: what a node is to coview."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Node(NamedTuple):
    """A node of a graph.

    Attributes:
        number: Which of the graph's.
        features: Its own, ``(F,)`` float32: what can be known of it without the graph.
    """

    number: int
    features: np.ndarray


class Nodes:
    """Nodes of one graph: a batch is their numbers, by which an encoder finds them in the graph."""

    def collate(self, values: Sequence[Node], /) -> Tensor:
        """``(N,)`` int64."""
        return torch.tensor([node.number for node in values])

    def describe(self, value: Node, /) -> str:
        """Which it is, and how many features it has."""
        return f"node {value.number}, {np.count_nonzero(value.features)} of {len(value.features)} features"

    def fit_raw(self, values: Iterable[Node], /) -> Callable[[Sequence[Node]], np.ndarray]:
        """The features of the nodes themselves, without a look at the graph."""
        return lambda some: np.stack([node.features for node in some])

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Node]], step: int, /) -> None:
        """A line for each."""
        writer.add_text(tag, "\n\n".join(self.describe(row[0]) for row in rows), step)

    def to_html(self, value: Node, /) -> str:
        """The same."""
        return f"<p>{self.describe(value)}</p>"
