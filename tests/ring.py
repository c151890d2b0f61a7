"""Nodes of one graph, a ring: data whose samples share a context, and what goes with them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import coview
from ragged import Graphs

NODES = 48


class Nodes(Graphs):
    """What a node is: its number and its features."""

    def collate(self, values):
        return torch.tensor([number for number, _ in values])

    def fit_raw(self, values):
        return lambda some: np.stack([features for _, features in some])

    def describe(self, value):
        return f"node {value[0]}"

    def to_html(self, value):
        return f"<i>node {value[0]}</i>"


class Ring:
    """Features of nodes, by which they are of two classes once neighbours are looked at."""

    splits, modalities, classes = ("train", "test"), ("graph",), ("left", "right")
    citation = licence = version = ""

    def __init__(self, *, split: str = "train"):
        rng = np.random.default_rng(0)
        self.features = (rng.normal(size=(NODES, 3)) + (np.arange(NODES) // 24)[:, None]).astype(np.float32)
        self.rows = [row for row in range(NODES) if (row % 3 == 0) == (split == "test")]
        self.context = {"features": torch.from_numpy(self.features)}

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        return coview.Sample({"graph": (row, self.features[row])}, id=row, label=row // 24)


class Rootless(Ring):
    """The same without what they share."""

    def __init__(self, *, split: str = "train"):
        super().__init__(split=split)
        del self.context


class Blank:
    """Some of all features are zero, in the whole graph."""

    of_context = True

    def __init__(self, *, share: float = 0.3):
        self.share = share

    def __call__(self, context, rng):
        kept = torch.from_numpy(rng.numpy.random(tuple(context["features"].shape)) >= self.share)
        return {"features": context["features"] * kept}


class Around(nn.Module):
    """A layer on the mean of a node and those beside it."""

    takes_context = True
    asks = False

    def __init__(self, *, width: int = 6):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Dropout(0.1))

    def forward(self, batch, context):
        x_NF = context["features"]
        mixed_NF = (x_NF + x_NF.roll(1, 0) + x_NF.roll(-1, 0)) / 3
        if self.asks:
            assert float(mixed_NF.abs().max()) > 0
        return coview.Encoding(self.layers(mixed_NF)[batch])


class Asks(Around):
    """The same, with a look at a number."""

    asks = True


class Alone(nn.Module):
    """An encoder without a look at anything else."""

    width = 6

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(NODES, self.width)

    def forward(self, batch):
        return coview.Encoding(self.table(batch))


def registry():
    """With these parts."""
    mine = coview.Registrar("mine")
    mine.modality("graph", "ring:Nodes", summary="nodes")
    mine.dataset("ring", "ring:Ring", summary="a ring")
    mine.dataset("rootless", "ring:Rootless", summary="a ring that nobody shares")
    mine.augmentation("blank", "ring:Blank", modality="graph", summary="hides features")
    for encoder in ("Around", "Asks", "Alone"):
        mine.encoder(encoder.lower(), f"ring:{encoder}", modality="graph", summary="an encoder")
    return coview.load_plugins().plus(mine)
