"""What pretraining reaches, coview beside lightly: the same pictures, network, steps, optimiser and evaluation.

Both train SimCLR as lightly's CIFAR-10 benchmark does (SGD, lr 0.06 at a batch of 128, cosine, decay 5e-4, temperature
0.5, half the jitter, no blur). lightly's part is its own transform, projection head and loss in a plain PyTorch loop.
Features are judged by scikit-learn: nearest neighbours by cosine, and logistic regression of standardised features.

    python benchmarks/peer_quality.py FOLDER [--seeds 3] [--steps 152] [--batch 256] [--width 16] [--only NAME ...]

FOLDER has train/CLASS/*.jpg and test/CLASS/*.jpg of 32 × 32 pixels, such as a part of CIFAR-10.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

import coview

RECIPE = """
schema = 1
name = "peer-quality"

[data]
use = "image_folder"
root = "{folder}"
workers = 0

[modality]
mean = [0.4914, 0.4822, 0.4465]
std = [0.2470, 0.2435, 0.2616]

[[augment]]
use = "simclr"
size = 32
strength = 0.5
blur = 0.0
interpolation = "linear"

[encoder]
use = "resnet18"
stem = "small"
width = {width}

[projector]
use = "mlp"
hidden = {hidden}
width = 128

[loss]
use = "nt_xent"
temperature = 0.5

[optimizer]
use = "sgd"
lr = {lr}
weight_decay = 5e-4

[train]
steps = {steps}
batch_size = {batch}
precision = "fp32"
device = "cpu"
"""

COVIEW: dict[str, list[str]] = {
    "coview": [],
    "coview, last batch norm": ["projector.last_batch_norm=true"],
}


def recipe_of(args: argparse.Namespace, seed: int, sets: list[str], registry: coview.Registry) -> coview.Recipe:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        hidden = 8 * args.width
        lr = 0.06 * args.batch / 128
        file.write(
            RECIPE.format(
                folder=args.folder.resolve(), width=args.width, hidden=hidden, steps=args.steps, batch=args.batch, lr=lr
            )
        )
        file.flush()
        return coview.load_recipe(file.name, registry=registry, sets=[f"seed={seed}", *sets])


def by_coview(args: argparse.Namespace, seed: int, sets: list[str], registry: coview.Registry) -> nn.Module:
    with tempfile.TemporaryDirectory() as out:
        run = coview.run(recipe_of(args, seed, sets, registry), out, registry=registry, quiet=True)
        return run.encoder


class Views(torch.utils.data.Dataset[list[Tensor]]):
    """lightly's two views of each picture."""

    def __init__(self, dataset: coview.Dataset, transform: Callable[[Any], list[Tensor]]) -> None:
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> list[Tensor]:
        from PIL import Image

        return self.transform(Image.fromarray(self.dataset[index]["image"]))


def by_lightly(args: argparse.Namespace, seed: int, registry: coview.Registry) -> nn.Module:
    from lightly.loss import NTXentLoss
    from lightly.models.modules.heads import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    recipe = recipe_of(args, seed, [], registry)
    torch.manual_seed(seed)
    encoder: Any = registry.build("encoder", "resnet18", modality="image", **recipe.encoder["image"].parameters)
    model = nn.ModuleDict({"encoder": encoder, "head": SimCLRProjectionHead(8 * args.width, 8 * args.width, 128)})
    normalize = {"mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616]}
    transform = SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.0, normalize=normalize)
    views = Views(split(args, "train", registry), transform)
    loader = torch.utils.data.DataLoader(views, args.batch, shuffle=True, drop_last=True)

    def forever() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    optimizer = torch.optim.SGD(model.parameters(), 0.06 * args.batch / 128, momentum=0.9, weight_decay=5e-4)
    loss = NTXentLoss(temperature=0.5)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step, (first, second) in zip(range(args.steps), forever(), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = 0.06 * args.batch / 128 * (1 + math.cos(math.pi * step / args.steps)) / 2
        x = torch.cat([first, second]).to(memory_format=torch.channels_last)
        z = model["head"](model["encoder"](x).pooled_ND)
        value = loss(*z.chunk(2))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return encoder


def split(args: argparse.Namespace, name: str, registry: coview.Registry) -> coview.Dataset:
    dataset: coview.Dataset = registry.build(
        "dataset", "image_folder", supplied={"split": name}, root=str(args.folder.resolve())
    )
    return dataset


def judge(encoder: nn.Module, args: argparse.Namespace, registry: coview.Registry) -> dict[str, float]:
    modality = registry.build("modality", "image", mean=[0.4914, 0.4822, 0.4465], std=[0.2470, 0.2435, 0.2616])
    x, y = {}, {}
    for name in ("train", "test"):
        dataset = split(args, name, registry)
        samples = [dataset[index] for index in range(len(dataset))]
        y[name] = np.array([sample.label for sample in samples])
        with torch.no_grad():
            parts = [
                encoder.eval()(modality.collate([sample["image"] for sample in samples[at : at + 256]])).pooled_ND
                for at in range(0, len(samples), 256)
            ]
        x[name] = torch.cat(parts).double().numpy()
    knn = KNeighborsClassifier(20, metric="cosine").fit(x["train"], y["train"])
    scale = StandardScaler().fit(x["train"])
    probe = LogisticRegression(C=0.1, max_iter=1000).fit(scale.transform(x["train"]), y["train"])
    return {
        "knn": float(knn.score(x["test"], y["test"])),
        "probe": float(probe.score(scale.transform(x["test"]), y["test"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=152)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--only", nargs="*", default=[*COVIEW, "lightly"])
    args = parser.parse_args()
    registry = coview.load_plugins()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in args.only}
    for seed in range(args.seeds):
        for name in args.only:
            began = time.perf_counter()
            encoder = (
                by_lightly(args, seed, registry) if name == "lightly" else by_coview(args, seed, COVIEW[name], registry)
            )
            found[name].append(judge(encoder, args, registry))
            print(
                json.dumps({"seed": seed, "by": name, **found[name][-1], "s": time.perf_counter() - began}), flush=True
            )
    print("| | kNN | probe |\n|---|---|---|")
    for name, numbers in found.items():
        cells = []
        for key in ("knn", "probe"):
            values = [number[key] for number in numbers]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.3f}{spread}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
