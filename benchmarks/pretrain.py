"""Pretraining throughput: coview, augmenting in workers and on the device, with batch norm of all views and of each, a
loop by hand, and lightly, in turns.

The same for all: Fashion-MNIST, the narrow ResNet-18 and projector of recipes/image/methods/simclr.toml, its batch
size, optimiser, precision, memory layout and number of loader processes. The loop by hand has the same augmentations
too, by Albumentations' Compose (unseeded: its views repeat between loader processes), and a plain NT-Xent. Lightly
has its own transform, of torchvision, and its own NT-Xent. Each contender runs in a process of its own; the ratio is
of the best rounds, since other work only ever takes time away.

    python benchmarks/pretrain.py [--steps 60] [--warmup 20] [--workers 2] [--rounds 3] [--batch 256] [--width 16]
        [--precision fp32] [--only "coview run" …]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from measuring import where
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import coview

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "image" / "methods" / "simclr.toml"


def settings(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "encoder.width": args.width,
        "train.batch_size": args.batch,
        "train.steps": args.steps,
        "schedule.warmup": 0,
        "train.log_every": args.warmup,
        "train.precision": args.precision,
        "data.workers": args.workers,
        "evaluate": [],
    }


def by_coview(args: argparse.Namespace, **overrides: Any) -> float:
    """From the run's own clock: the time between the line after the warm-up and the last one."""
    overrides = {**settings(args), **overrides}
    with tempfile.TemporaryDirectory() as out:
        run = coview.run(coview.load_recipe(RECIPE, overrides=overrides), out, quiet=True)
        lines = [json.loads(line) for line in run.folder.metrics.read_text().splitlines()]
    first, last = lines[0], lines[-1]
    rows = run.recipe.train.batch_size * (last["step"] - first["step"])
    return float(rows / (last["time"] - first["time"]))


class Pictures(torch.utils.data.Dataset[Any]):
    def __init__(self, dataset: coview.Dataset, transform: Callable[[Any], Any]) -> None:
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> list[Tensor]:
        picture = self.dataset[index]["image"]
        return [self.transform(picture) for _ in range(2)]


def albumentations_twice() -> Callable[[Any], Tensor]:
    import albumentations

    registry, recipe = coview.load_plugins(), coview.load_recipe(RECIPE)
    steps = [registry.build("augmentation", s.use, modality="image", **s.parameters) for s in recipe.augment["image"]]
    compose = albumentations.Compose([step.transform for step in steps])

    def view(picture: Any) -> Tensor:
        return torch.from_numpy(compose(image=picture)["image"][None]).float().div_(255).sub_(0.2860).div_(0.3530)

    return view


def lightlys_transform() -> Callable[[Any], Tensor]:
    from lightly.transforms import SimCLRViewTransform
    from PIL import Image

    transform = SimCLRViewTransform(
        input_size=28, min_scale=0.2, cj_strength=0.5, random_gray_scale=0.0, gaussian_blur=0.5, normalize=None
    )
    return lambda picture: transform(Image.fromarray(picture).convert("RGB"))[:1]


def nt_xent(a_ND: Tensor, b_ND: Tensor, temperature: float) -> Tensor:
    z = normalize(torch.cat([a_ND, b_ND]).float(), dim=1)
    logits = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    N = len(a_ND)
    return cross_entropy(logits, torch.cat([torch.arange(N, 2 * N), torch.arange(N)]).to(z.device))


def by_hand(args: argparse.Namespace, transform: Callable[[Any], Tensor], loss: Callable[..., Tensor]) -> float:
    registry, recipe = coview.load_plugins(), coview.load_recipe(RECIPE, overrides=settings(args))
    train, device = recipe.train, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = registry.build(
        "encoder", recipe.encoder["image"].use, modality="image", **recipe.encoder["image"].parameters
    )
    head = recipe.projector["image"]
    projector = registry.build("projector", head.use, supplied={"in_width": encoder.width}, **head.parameters)
    model = nn.ModuleList([encoder, projector]).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    settings_of = recipe.tables["optimizer"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings_of["lr"], weight_decay=settings_of["weight_decay"])
    pictures = Pictures(registry.build("dataset", "fashion_mnist", supplied={"split": "train"}), transform)
    loader = torch.utils.data.DataLoader(
        pictures,
        train.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=args.workers,
        pin_memory=device.type == "cuda",
        persistent_workers=args.workers > 0,
    )

    def forever() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    model.train()
    begin = time.perf_counter()
    for step, (a, b) in enumerate(forever()):
        if step == args.warmup:
            begin = time.perf_counter()
        if step == args.steps:
            break
        x = torch.cat([a, b]).to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            z = projector(encoder(x).pooled_ND)
        value = loss(*z.chunk(2), 0.2)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return train.batch_size * (args.steps - args.warmup) / (time.perf_counter() - begin)


def by_lightly(args: argparse.Namespace) -> float:
    from lightly.loss import NTXentLoss

    peer = NTXentLoss(temperature=0.2)
    return by_hand(args, lightlys_transform(), lambda a_ND, b_ND, _: peer(a_ND.float(), b_ND.float()))


CONTENDERS: dict[str, Callable[[argparse.Namespace], float]] = {
    "coview run": by_coview,
    "coview, augment_on = device": lambda args: by_coview(args, **{"data.augment_on": "device"}),
    "coview, batch_norm = per_view": lambda args: by_coview(args, **{"train.batch_norm": "per_view"}),
    "loop by hand": lambda args: by_hand(args, albumentations_twice(), nt_xent),
    "lightly": by_lightly,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("steps", 60),
        ("warmup", 20),
        ("workers", 2),
        ("rounds", 3),
        ("batch", 256),
        ("width", 16),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(CONTENDERS[args.here](args))
        return
    names = [name for name in args.only if name != "lightly" or find_spec("lightly")]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            command = [sys.executable, *sys.argv, "--here", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name].append(float(done.stdout.splitlines()[-1]))
    reference = max(found["loop by hand" if "loop by hand" in found else names[0]])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"width {args.width}, batch {args.batch}, {args.workers} workers, {args.precision}, {where(device)}")
    for name, values in found.items():
        listed = ", ".join(f"{value:.0f}" for value in values)
        print(f"{name:30}{max(values):8.0f} samples/s {max(values) / reference:6.2f}   ({listed})")


if __name__ == "__main__":
    main()
