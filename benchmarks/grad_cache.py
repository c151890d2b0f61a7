"""The gradient cache beside the plain step: time for each sample, and memory, on the encoder of the quickstart.

A batch of 4,096 samples, two views each, in one piece and in parts; beside them the plain step on a batch of the size
of a part, whose memory the cache is to have. Time is the fastest of rounds that take turns; memory is the peak beyond
what was there before the step, each in a process of its own on a CPU.

    python benchmarks/grad_cache.py [--batch 4096] [--rows 64] [--rounds 3] [--device cpu]
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from measuring import added_to_peak, added_to_peak_apart, now, where

import coview
from coview.data.batch import Batch
from coview.model.topology import build_topology
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch


def step_of(batch_size: int, rows: int | None, device: torch.device) -> tuple[GradientOfBatch, Batch]:
    recipe = coview.load_recipe("quickstart", overrides={"train.precision": "fp32"})
    topology = build_topology(recipe, coview.load_plugins())
    topology.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    topology.train()
    accelerator = make_accelerator(device, "fp32")
    gradient = GradientOfBatch(
        topology, topology.student, accelerator, rows=rows, batch_size=batch_size, seed=0, channels_last=True
    )
    generator = torch.Generator().manual_seed(0)
    modality = recipe.modality["image"]
    shape = (2 * batch_size, modality.get("channels", 3), modality["size"], modality["size"])
    inputs = {"image": torch.randn(shape, generator=generator).to(device)}
    return gradient, Batch(inputs, torch.arange(batch_size, device=device), None, None, None)


def take(gradient: GradientOfBatch, batch: Batch, number: int) -> float:
    begin = now(batch.ids.device)
    gradient.add(batch, step=number, part=0, share=1.0, progress=0.0, synchronise=True)
    return now(batch.ids.device) - begin


def memory_of(batch_size: int, rows: int | None, device: torch.device) -> None:
    take(*step_of(min(64, batch_size), rows, device), 0)  # loads what is loaded once
    gradient, batch = step_of(batch_size, rows, device)
    print(added_to_peak(lambda: take(gradient, batch, 0), device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--memory-of", nargs=2, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        batch_size, rows = args.memory_of
        memory_of(batch_size, rows or None, args.device)
        return
    ways = {
        f"plain, {args.batch}": (args.batch, None),
        f"cached, {args.batch} by {args.rows}": (args.batch, args.rows),
        f"plain, {args.rows}": (args.rows, None),
    }
    steps = {name: step_of(*way, args.device) for name, way in ways.items()}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(args.rounds + 1):
        for name, (gradient, batch) in steps.items():
            seconds = take(gradient, batch, number)
            if number:  # the first warms up
                found[name].append(seconds / len(batch) * 1e6)
    plain = min(found[f"plain, {args.batch}"])
    print(where(args.device))
    print(f"{'':28}{'µs a sample':>12}{'ratio':>8}{'MiB of a step':>15}")
    for name, values in found.items():
        batch_size, rows = ways[name]
        again = partial(take, *steps[name], args.rounds + 1)
        mib = added_to_peak_apart(again, args.device, ["--memory-of", str(batch_size), str(rows or 0)])
        print(f"{name:28}{min(values):12.0f}{min(values) / plain:8.2f}{mib:15.0f}")


if __name__ == "__main__":
    main()
