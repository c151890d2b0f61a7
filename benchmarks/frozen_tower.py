"""A step of LiT, whose picture encoder is frozen, beside a step that has no picture encoder at all.

Three runs train the same text encoder and the same projectors by the loss of CLIP, on the same captions:

- "kept": the frozen encoder's vectors are made once before the first step, as coview does it;
- "in each step": the same run as it would be otherwise: it reads, decodes and encodes all pictures in each epoch;
- "no encoder": ready vectors in memory stand in the place of pictures, and nothing stands in the place of the encoder.

The ratio of the first to the last is what keeping vectors costs. Steps are timed from the end of the one before, with
all that the loader does, from the second epoch on; the median counts, of the fastest of rounds that take turns.

    python benchmarks/frozen_tower.py [--samples 1024] [--batch 128] [--epochs 4] [--rounds 3] [--workers 0]
        [--picture timm:vit_tiny_patch16_224] [--side 64] [--width 128] [--layers 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from measuring import now, where
from PIL import Image
from torch import Tensor, nn

import coview
from coview.data.building import build_split
from coview.model.topology import build_topology
from coview.train import frozen_encoders
from coview.train.accelerator import make_accelerator
from coview.train.device import choose_precision
from coview.train.observer import Observer
from coview.train.pretrain import Pretraining
from coview.train.stopping import StopRequest

_WORDS = ("red", "green", "blue", "round", "square", "small", "large", "dark", "light", "old", "new", "near", "far")


def caption(row: int) -> str:
    return " ".join(np.random.default_rng(row).choice(_WORDS, 12))


class Vectors:
    """Vectors of one length."""

    def collate(self, values: Sequence[np.ndarray], /) -> Tensor:
        return torch.from_numpy(np.stack(values))

    def describe(self, value: np.ndarray, /) -> str:
        return f"{len(value)} numbers"


class Described:
    """Random vectors with captions.

    Args:
        split: "train".
        size: How many.
        length: Numbers in each.
    """

    splits = ("train",)
    modalities = ("vector", "text")
    classes = None
    citation, licence, version = "", "", "1"

    def __init__(self, *, split: str = "train", size: int, length: int) -> None:
        self.vectors = np.random.default_rng(0).standard_normal((size, length), dtype=np.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return coview.Sample({"vector": self.vectors[index], "text": caption(index)}, id=index)


class AsItIs(nn.Module):
    """The vectors themselves.

    Args:
        length: Numbers in each.
    """

    def __init__(self, *, length: int) -> None:
        super().__init__()
        self.width = length

    def forward(self, batch: Tensor) -> coview.Encoding:
        return coview.Encoding(batch)


def registry() -> coview.Registry:
    mine = coview.Registrar("mine")
    mine.modality("vector", "frozen_tower:Vectors", summary="vectors")
    mine.dataset("described", "frozen_tower:Described", summary="vectors with captions")
    mine.encoder("as_it_is", "frozen_tower:AsItIs", modality="vector", summary="the vectors themselves")
    return coview.load_plugins().plus(mine)


def pictures(folder: Path, count: int, side: int) -> None:
    """JPEG files of noise, with their captions."""
    rng = np.random.default_rng(0)
    with (folder / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "caption"])
        for row in range(count):
            small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            small.resize((2 * side, 2 * side)).save(folder / f"{row}.jpg")
            table.writerow([f"{row}.jpg", caption(row)])


def tables(args: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """What the recipes with and without pictures say."""
    common = {
        "schema": 1,
        "name": "lit",
        "loss": {"use": "clip", "temperature": 0.1},
        "optimizer": {"use": "adamw", "lr": 1e-3},
        "train": {
            "epochs": args.epochs,
            "batch_size": args.batch,
            "device": args.device.type,
            "checkpoint_every": "10h",
            "log_every": 10**6,
        },
    }
    text = {"use": "text_transformer", "vocabulary": 400, "width": args.width, "layers": args.layers, "heads": 4}
    projector = {"layers": 1, "width": 128}
    with_pictures = {
        "data": {"use": "captioned_images", "root": str(folder), "views": 1, "workers": args.workers},
        "modality": {"image": {"size": args.side}},
        "encoder": {"image": {"use": args.picture, "image_size": args.side}, "text": text},
        "projector": {"image": projector, "text": projector},
    }
    frozen = {"group": [{"match": "encoder.image.*", "freeze": True}]}
    width = coview.load_plugins().build("encoder", args.picture, modality="image", image_size=args.side).width
    size = int(args.samples * 0.8)
    without = {
        "data": {"use": "described", "size": size, "length": width, "views": 1, "workers": args.workers},
        "encoder": {"vector": {"use": "as_it_is", "length": width}, "text": text},
        "projector": {"vector": projector, "text": projector},
    }
    lit = {**common, **with_pictures, "optimizer": {**common["optimizer"], **frozen}}
    return {"kept": lit, "in each step": lit, "no encoder": {**common, **without}}


def seconds_of_a_step(recipe: coview.Recipe, found: coview.Registry, device: torch.device) -> float:
    dataset = build_split(recipe, "train", found)
    topology = build_topology(recipe, found, dataset, trains_on=device)
    accelerator = make_accelerator(device, choose_precision(recipe, device))
    training = Pretraining(recipe, found, dataset, topology, accelerator)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as out:

        def note(step: int, epoch: int, metrics: Mapping[str, float]) -> None:
            ends.append(now(device))

        training.run(Path(out) / "checkpoints", StopRequest(), Observer(step=note))
    steps = np.diff(ends)[training.length.steps_per_epoch :]
    return statistics.median(steps.tolist()[:-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("samples", 1024), ("batch", 128), ("epochs", 4), ("rounds", 3), ("workers", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("side", 64), ("width", 128), ("layers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--picture", default="timm:vit_tiny_patch16_224")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    args = parser.parse_args()
    found, least = registry(), dict.fromkeys(("kept", "in each step", "no encoder"), float("inf"))
    why = frozen_encoders.why_views_vary
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures(folder, args.samples, args.side)
        recipes = {}
        for way, table in tables(args, folder).items():
            path = folder / f"{way}.toml"
            path.write_text(tomli_w.dumps(table))
            recipes[way] = coview.load_recipe(path, registry=found)
        began = time.perf_counter()
        for _ in range(args.rounds):
            for way, recipe in recipes.items():
                frozen_encoders.why_views_vary = (lambda *parts: "measured") if way == "in each step" else why
                least[way] = min(least[way], seconds_of_a_step(recipe, found, args.device))
    print(f"{where(args.device)}, {args.rounds} rounds in {time.perf_counter() - began:.0f} s")
    print(f"{'':16}{'ms a step':>12}{'of no encoder':>16}")
    for way, seconds in least.items():
        print(f"{way:16}{1000 * seconds:12.1f}{seconds / least['no encoder']:16.2f}")


if __name__ == "__main__":
    main()
