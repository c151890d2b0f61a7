"""A modality whose batches do not count samples: graphs, of which a batch has all nodes below each other."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import coview


class Graphs:
    """What a graph is: an array of nodes."""

    def collate(self, values):
        sizes = torch.tensor([len(value) for value in values])
        return {
            "nodes": torch.from_numpy(np.concatenate(values)),
            "graph": torch.arange(len(values)).repeat_interleave(sizes),
        }

    def describe(self, value):
        return f"{len(value)} nodes"

    def fit_raw(self, values):
        return lambda some: np.stack([value.mean(0) for value in some]).astype(np.float32)

    def preview(self, writer, tag, rows, step):
        pass

    def to_html(self, value):
        return f"<i>{len(value)} nodes</i>"


class Listed(Graphs):
    """The same, each graph by itself in a list."""

    def collate(self, values):
        return {"graphs": [torch.from_numpy(value) for value in values], "size": torch.tensor([len(v) for v in values])}


class Padded(Graphs):
    """The same, of one size each: rows that count graphs."""

    def collate(self, values):
        longest = max(map(len, values))
        padded = [np.pad(value, ((0, longest - len(value)), (0, 0))) for value in values]
        return {"nodes": torch.from_numpy(np.stack(padded)), "unit": "m"}


class Molecules:
    splits, modalities, classes = ("train",), ("graph",), None
    citation = licence = version = ""
    labelled = False

    def __init__(self, *, split):
        pass

    def __len__(self):
        return 40

    def __getitem__(self, index):
        nodes = np.random.default_rng(index).normal(size=(1 + index % 5, 3)).astype(np.float32)
        return coview.Sample({"graph": nodes}, id=index)


class Jitter:
    def __call__(self, value, rng):
        return value + rng.numpy.normal(size=value.shape).astype(np.float32) * 0.1


class Mean(nn.Module):
    """The mean node of each graph, mapped."""

    def __init__(self, *, width: int = 6):
        super().__init__()
        self.width = width
        self.layer = nn.Linear(3, width)

    def forward(self, batch):
        nodes = self.layer(batch["nodes"])
        if "graph" not in batch:
            return coview.Encoding(nodes.mean(1))
        count = int(batch["graph"].max()) + 1
        summed = torch.zeros(count, self.width).index_add(0, batch["graph"], nodes)
        return coview.Encoding(summed / torch.bincount(batch["graph"])[:, None])
