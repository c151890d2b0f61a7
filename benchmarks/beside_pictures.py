"""SimCLR on pictures, by coview and by lightly, for beside_others.py.

Both train as lightly's CIFAR-10 benchmark does: SGD with a rate of 0.06 for 128 pictures, cosine, a decay of 5e-4 of
all weights, temperature 0.5, half the jitter, no blur, and lightly's head with a batch norm at its end. lightly's part
is its own transform, projection head and loss in a plain PyTorch loop; the encoder is the same class.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import accuracies
from running import trained
from torch import Tensor, nn

import coview

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
RECIPE: dict[str, Any] = {
    "schema": 1,
    "name": "beside-lightly",
    "data": {"use": "image_folder", "workers": 0},
    "modality": {"mean": MEAN, "std": STD},
    "augment": [{"use": "simclr", "size": 32, "strength": 0.5, "blur": 0.0, "interpolation": "linear"}],
    "projector": {"use": "mlp", "width": 128, "last_batch_norm": "affine"},
    "loss": {"use": "nt_xent", "temperature": 0.5},
    "optimizer": {"use": "sgd", "momentum": 0.9, "group": [{"match": "*", "weight_decay": 5e-4}]},
    "schedule": {"use": "cosine"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="has train/CLASS/*.jpg and test/CLASS/*.jpg of 32 x 32 pixels")
    parser.add_argument("--width", type=int, default=32, help="of the ResNet-18's first stage; usually 64")
    parser.set_defaults(batch=256, steps=152)


def by_coview(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    recipe = {
        **RECIPE,
        "seed": args.seed,
        "data": {**RECIPE["data"], "root": str(args.folder.resolve())},
        "encoder": {"use": "resnet18", "stem": "small", "width": args.width},
        "projector": {**RECIPE["projector"], "hidden": 8 * args.width},
        "optimizer": {**RECIPE["optimizer"], "lr": peak(args)},
        "train": {"steps": args.steps, "batch_size": args.batch, "precision": args.precision, "device": "cpu"},
    }
    return trained(recipe, registry)


class Views(torch.utils.data.Dataset[list[Tensor]]):
    """lightly's two views of each picture."""

    def __init__(self, dataset: coview.Dataset, transform: Callable[[Any], list[Tensor]]) -> None:
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> list[Tensor]:
        from PIL import Image

        return self.transform(Image.fromarray(self.dataset[index]["image"]))


def by_lightly(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    from lightly.loss import NTXentLoss
    from lightly.models.modules.heads import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    encoder = untrained(args, registry)
    model = nn.ModuleDict({"encoder": encoder, "head": SimCLRProjectionHead(8 * args.width, 8 * args.width, 128)})
    transform = SimCLRTransform(input_size=32, cj_strength=0.5, gaussian_blur=0.0, normalize={"mean": MEAN, "std": STD})
    views = Views(split(args, "train", registry), transform)
    loader = torch.utils.data.DataLoader(views, args.batch, shuffle=True, drop_last=True)

    def forever() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    optimizer = torch.optim.SGD(model.parameters(), peak(args), momentum=0.9, weight_decay=5e-4)
    loss = NTXentLoss(temperature=0.5)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step, (first, second) in zip(range(args.steps), forever(), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = peak(args) * (1 + math.cos(math.pi * step / args.steps)) / 2
        x = torch.cat([first, second]).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            z = model["head"](model["encoder"](x).pooled_ND)
        value = loss(*z.float().chunk(2))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return encoder


def untrained(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    torch.manual_seed(args.seed)
    encoder: nn.Module = registry.build("encoder", "resnet18", modality="image", stem="small", width=args.width)
    return encoder


def peak(args: argparse.Namespace) -> float:
    """Of the learning rate."""
    return float(0.06 * args.batch / 128)


def split(args: argparse.Namespace, name: str, registry: coview.Registry) -> coview.Dataset:
    root = str(args.folder.resolve())
    dataset: coview.Dataset = registry.build("dataset", "image_folder", supplied={"split": name}, root=root)
    return dataset


@torch.no_grad()
def judge(encoder: nn.Module, args: argparse.Namespace, registry: coview.Registry) -> dict[str, float]:
    modality = registry.build("modality", "image", mean=MEAN, std=STD)
    x, y = {}, {}
    encoder.eval()
    for name in ("train", "test"):
        dataset = split(args, name, registry)
        samples = [dataset[index] for index in range(len(dataset))]
        y[name] = np.array([sample.label for sample in samples])
        pictures = [sample["image"] for sample in samples]
        parts = [encoder(modality.collate(pictures[at : at + 256])).pooled_ND for at in range(0, len(pictures), 256)]
        x[name] = torch.cat(parts).double().numpy()
    return accuracies(x["train"], y["train"], x["test"], y["test"])


CONTENDERS = {"untrained": untrained, "lightly": by_lightly, "coview": by_coview}
