"""Samples that say who bought what, and a loss that goes by it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import coview
from ragged import Padded


class Vectors(Padded):
    """What a purchase is: some numbers."""

    def collate(self, values):
        return torch.from_numpy(np.stack(values))

    def fit_raw(self, values):
        return np.stack


class Purchases:
    splits, modalities, classes = ("train", "test"), ("graph",), ("few", "many")
    citation = licence = version = ""

    def __init__(self, *, split: str = "train", lacks: str = ""):
        self.first, self.lacks = 1000 * self.splits.index(split), lacks

    def __len__(self):
        return 60

    def __getitem__(self, index):
        row = self.first + index
        vector = np.random.default_rng(row).normal(size=3).astype(np.float32)
        extras = {"user": row % 7, "price": row / 3, "basket": np.array([row, 2 * row])}
        extras.pop(self.lacks, None)
        return coview.Sample({"graph": vector}, id=row, label=row % 2, extras=extras)


class Jitter:
    def __call__(self, value, rng):
        return value + rng.numpy.normal(size=value.shape).astype(np.float32) * 0.1


class Linear(nn.Module):
    def __init__(self, *, width: int = 6):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(3, width), nn.Tanh())

    def forward(self, batch):
        return coview.Encoding(self.layers(batch))


class OfOneUser(nn.Module):
    """Purchases of one user are no negatives of each other; dear ones count for more. Notes what it has seen."""

    needs = coview.Needs(views=2, queue="optional", extras=("user", "price"))
    seen: tuple[coview.Views, ...] = ()

    def forward(self, views):
        type(self).seen += (views,)
        a, b = (nn.functional.normalize(z, dim=-1) for z in (views.student[0], views.teacher[1]))
        user, own = views.extras["user"], torch.arange(len(views.ids))
        same = (user[:, None] == user) & (own[:, None] != own)
        logits = (a @ b.T / 0.2).masked_fill(same, -torch.inf)[views.anchors]
        losses = nn.functional.cross_entropy(logits, own[views.anchors], reduction="none")
        return (losses * (1 + views.extras["price"][views.anchors].to(losses.dtype) / 100)).mean()


def registry():
    """With these parts."""
    mine = coview.Registrar("mine")
    mine.modality("graph", "purchases:Vectors", summary="vectors")
    mine.dataset("purchases", "purchases:Purchases", summary="who bought what")
    mine.augmentation("jitter", "purchases:Jitter", modality="graph", summary="noise")
    mine.encoder("linear", "purchases:Linear", modality="graph", summary="a linear map")
    mine.loss("of_one_user", "purchases:OfOneUser", summary="by user")
    return coview.load_plugins().plus(mine)
