"""Pictures, captions and sounds, each five numbers: three modalities, of which samples may lack some."""

from __future__ import annotations

import numpy as np

import coview
from answers import Linear, Vectors

MODALITIES = ("picture", "caption", "sound")


def values_of(row: int) -> dict[str, np.ndarray]:
    """Of a row what it has in each modality: one vector, and noise."""
    rng = np.random.default_rng(row)
    common = rng.normal(size=5)
    return {name: (common + 0.3 * rng.normal(size=5)).astype(np.float32) for name in MODALITIES}


class Triples:
    """All modalities of each sample."""

    splits, modalities, classes = ("train", "test"), MODALITIES, ("few", "many")
    citation = licence = version = ""

    def __init__(self, *, split: str = "train"):
        self.first = 1000 * self.splits.index(split)

    def __len__(self):
        return 60

    def has(self, index: int, name: str) -> bool:
        return True

    def __getitem__(self, index):
        row = self.first + index
        values = {name: value for name, value in values_of(row).items() if self.has(index, name)}
        return coview.Sample(values, id=row, label=row % 2)


@coview.hookimpl
def coview_register(registry):
    for name in MODALITIES:
        registry.modality(name, "triples:Vectors", summary=f"{name}s")
        registry.encoder("linear", "triples:Linear", modality=name, summary="a linear map")
    registry.dataset("triples", "triples:Triples", summary="pictures, captions and sounds")
    registry.loss("finds_roles", "answers:FindsRoles", summary="the answer, by the names of views")


def registry():
    """With these parts."""
    mine = coview.Registrar("mine")
    coview_register(mine)
    return coview.load_plugins().plus(mine)


__all__ = ["Linear", "Vectors"]

RECIPE = """
schema = 1
name = "triples"
seed = 4

[data]
use = "triples"
views = 1
workers = 0

[encoder.picture]
use = "linear"

[encoder.caption]
use = "linear"

[encoder.sound]
use = "linear"

[projector.picture]
use = "identity"

[projector.caption]
use = "identity"

[projector.sound]
use = "identity"

[[loss]]
use = "clip"
between = ["picture", "caption"]

[[loss]]
use = "siglip"
between = ["picture", "sound"]
weight = 0.5

[optimizer]
use = "sgd"
lr = 0.5
weight_decay = 0.01

[train]
steps = 4
batch_size = 16
device = "cpu"
precision = "fp32"
checkpoint_every = 2
log_every = 1
keep = 3
"""
