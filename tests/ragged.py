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
    splits, modalities, classes = ("train", "test"), ("graph",), None
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


class RaggedGraphs:
    """A structured batch: all nodes below each other, and how many each graph has."""

    def __init__(self, nodes, sizes):
        self.nodes, self.sizes = nodes, sizes

    def __len__(self):
        return len(self.sizes)

    def select(self, rows):
        ends = self.sizes.cumsum(0)
        picked = [torch.arange(ends[row] - self.sizes[row], ends[row]) for row in rows]
        return RaggedGraphs(self.nodes[torch.cat(picked)], self.sizes[rows])

    def to(self, device):
        return RaggedGraphs(self.nodes.to(device, non_blocking=True), self.sizes.to(device, non_blocking=True))

    def pin_memory(self):
        return RaggedGraphs(self.nodes.pin_memory(), self.sizes.pin_memory())


class Structured(Graphs):
    """The same as a structured batch."""

    def collate(self, values):
        sizes = torch.tensor([len(value) for value in values])
        return RaggedGraphs(torch.from_numpy(np.concatenate(values)), sizes)


class MeanOfRagged(nn.Module):
    """The mean node of each graph of a structured batch, mapped."""

    def __init__(self, *, width: int = 6):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh())

    def forward(self, batch):
        nodes = self.layers(batch.nodes)
        graph = torch.repeat_interleave(batch.sizes)
        summed = nodes.new_zeros(len(batch), self.width).index_add(0, graph, nodes)
        return coview.Encoding(summed / batch.sizes[:, None])


class Shift:
    """Works on structured batches, on the device."""

    batch = True

    def __call__(self, batch, rng):
        graph = torch.repeat_interleave(batch.sizes)
        return RaggedGraphs(batch.nodes + rng.normal(3)[graph] * 0.1, batch.sizes)
