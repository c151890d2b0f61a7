"""A step of several towers beside the sum of its towers, and the memory of a large batch of pairs.

The towers are those of imagebind-cpu (pictures, names, voices), on made-up samples. A tower by itself is its encoder
and its projector, forwards and backwards; a step is all of them, the losses and the gradient cache in one part. The
ratio is the median over rounds that take turns. Memory is the peak of a step of the two towers of clip-stamps-cpu
beyond what was there before it, in a process of its own on a CPU.

    python benchmarks/towers.py [--batch 128] [--rounds 7] [--pairs 4096] [--rows 128] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from measuring import added_to_peak, added_to_peak_apart, now, where
from torch import nn

import coview
from coview.data.batch import Batch
from coview.data.building import build_modalities
from coview.data.modality import Collates
from coview.model.topology import Topology, build_topology
from coview.model.tower import Part
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch
from coview_audio.sound import Sound

WORDS = ("red", "blue", "green", "small", "large", "old", "new", "bird", "fish", "house", "tree", "drum", "car", "hat")


def values_of(modality: str, count: int) -> list[Any]:
    """Made-up samples."""
    rng = np.random.default_rng(0)
    if modality == "image":
        return list(rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8))
    if modality == "text":
        return [" ".join(rng.choice(WORDS, 4)) for _ in range(count)]
    return [Sound(samples_T, 16_000) for samples_T in rng.normal(0, 0.1, (count, 32_000)).astype(np.float32)]


def step_of(name: str, batch_size: int, rows: int, device: torch.device) -> tuple[Topology, GradientOfBatch, Batch]:
    recipe, registry = coview.load_recipe(name), coview.load_plugins()
    topology = build_topology(recipe, registry)
    modalities = build_modalities(recipe, registry)
    inputs: dict[str, Any] = {}
    for modality in recipe.modalities:
        encoder: Any = topology.student.encoder(modality)
        values = values_of(modality, batch_size)
        if isinstance(encoder, coview.FitsToData):
            encoder.fit(values)
        collator = encoder if isinstance(encoder, Collates) else modalities[modality]
        inputs[modality] = collator.collate(values)
    topology.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    topology.train()
    gradient = GradientOfBatch(
        topology, topology.student, make_accelerator(device, "fp32"), rows=rows, batch_size=batch_size, seed=0,
        channels_last=True,
    )  # fmt: skip
    return topology, gradient, Batch(inputs, torch.arange(batch_size), None, None, None).to(device)


def take(gradient: GradientOfBatch, batch: Batch, number: int) -> float:
    begin = now(batch.ids.device)
    gradient.add(batch, step=number, part=0, share=1.0, progress=0.0, synchronise=True)
    return now(batch.ids.device) - begin


def alone(tower: nn.Module, inputs: Any, device: torch.device) -> float:
    """Seconds of one tower, forwards and backwards."""
    begin = now(device)
    tower([Part(inputs, None)])[0].sum().backward()
    return now(device) - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    pairs = partial(step_of, "crossmodal/clip-stamps-cpu", args.pairs, args.rows, args.device)
    if args.memory_only:
        take(
            *step_of("crossmodal/clip-stamps-cpu", args.rows, args.rows, args.device)[1:], 0
        )  # loads what is loaded once
        _, gradient, batch = pairs()
        print(added_to_peak(lambda: take(gradient, batch, 0), args.device))
        return
    print(where(args.device))
    topology, gradient, batch = step_of("crossmodal/imagebind-cpu", args.batch, args.batch, args.device)
    towers: Mapping[str, Any] = dict(topology.student.towers.items())
    found: dict[str, list[float]] = {name: [] for name in (*towers, "step", "ratio")}
    for number in range(args.rounds + 1):
        seconds = {name: alone(tower, batch.inputs[name], args.device) for name, tower in towers.items()}
        whole = take(gradient, batch, number)
        if number:  # the first warms up
            for name, value in {**seconds, "step": whole, "ratio": whole / sum(seconds.values())}.items():
                found[name].append(value)
    for name in (*towers, "step"):
        print(f"{name:8}{statistics.median(found[name]) * 1000:10.1f} ms")
    print(f"a step is {statistics.median(found['ratio']):.3f} of the sum of its towers")
    arguments = ["--memory-only", "--pairs", str(args.pairs), "--rows", str(args.rows)]
    mib = added_to_peak_apart(lambda: take(*pairs()[1:], 0), args.device, arguments)
    print(f"a batch of {args.pairs:,} pairs in parts of {args.rows}: {mib:.0f} MiB beyond the model and the batch")


if __name__ == "__main__":
    main()
