"""Pictures, captions and sounds, each five numbers: three modalities, of which samples may lack some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import nn

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


class Some(Triples):
    """Every third sample lacks the caption, and all but every fourth the sound; of the rest some are scarce."""

    def __init__(self, *, split: str = "train"):
        super().__init__(split=split)
        rows = np.arange(len(self))
        self.present = {"caption": rows % 3 != 1, "sound": rows % 4 == 0, "picture": rows % 12 != 8}

    def has(self, index: int, name: str) -> bool:
        return bool(self.present[name][index])


class Scarce(Triples):
    """Two samples of sixty have a sound."""

    def __init__(self, *, split: str = "train"):
        super().__init__(split=split)
        self.present = {"sound": [row in (7, 41) for row in range(len(self))]}

    def has(self, index: int, name: str) -> bool:
        return name != "sound" or self.present["sound"][index]


class Captions(Triples):
    """With one to four captions for each picture, the last of which is another picture's too; some have no sound."""

    def __init__(self, *, split: str = "train"):
        super().__init__(split=split)
        rows = np.arange(len(self))
        self.present = {"sound": rows % 4 != 3}
        self.value_counts = {"caption": 1 + rows % 4}
        self.ids = (self.first + rows).tolist()

    def has(self, index: int, name: str) -> bool:
        return name != "sound" or bool(self.present["sound"][index])

    def with_values(self, index, numbers, modalities=None):
        sample = Triples.__getitem__(self, index)
        if number := numbers.get("caption", 0):
            of = 2000 + (self.first + index) // 8 if number == 3 else self.first + index
            caption = np.random.default_rng((of, number)).normal(size=5).astype(np.float32)
            sample = replace(sample, values={**sample.values, "caption": caption})
        return sample


class Unsaid(Some):
    """Samples that have what the data set says that they lack."""

    def has(self, index: int, name: str) -> bool:
        return True


class Normalised(Linear):
    """With batch norm."""

    def __init__(self, *, width: int = 6):
        super().__init__(width=width)
        self.layers = nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.Tanh())


class Noise:
    """Other numbers in each view."""

    def __init__(self, *, std: float = 0.1):
        self.std = std

    def __call__(self, value, rng):
        return (value + self.std * rng.numpy.normal(size=5)).astype(np.float32)


class NoiseOfBatch:
    """The same on the device."""

    batch = True

    def __call__(self, batch, rng):
        return batch + 0.1 * rng.uniform(5)


@coview.hookimpl
def coview_register(registry):
    for name in MODALITIES:
        registry.modality(name, "triples:Vectors", summary=f"{name}s")
        registry.encoder("linear", "triples:Linear", modality=name, summary="a linear map")
        registry.encoder("normalised", "triples:Normalised", modality=name, summary="a linear map with batch norm")
        registry.augmentation("noise", "triples:Noise", modality=name, summary="noise")
        registry.augmentation("noise_of_batch", "triples:NoiseOfBatch", modality=name, summary="noise, on the device")
    for name in ("Some", "Scarce", "Unsaid", "Captions"):
        registry.dataset(name.lower(), f"triples:{name}", summary="of which samples lack modalities")
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
