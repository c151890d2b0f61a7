"""The gradient cache beside the plain step: time for each sample, and memory, on the encoder of the quickstart.

A batch of 4,096 samples, two views each, in one piece and in parts; beside them the plain step on a batch of the size
of a part, whose memory the cache is to have. Time is the fastest of rounds that take turns; memory is the peak beyond
what was there before the step, each in a process of its own (Linux only: /proc/self).

    python benchmarks/grad_cache.py [--batch 4096] [--rows 64] [--rounds 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

import coview
from coview.data.batch import Batch
from coview.model.topology import build_topology
from coview.train.gradient import GradientOfBatch
from coview.train.pretrain import make_accelerator


def step_of(batch_size: int, rows: int | None) -> tuple[GradientOfBatch, Batch]:
    recipe = coview.load_recipe("quickstart", overrides={"train.precision": "fp32"})
    topology = build_topology(recipe, coview.load_plugins()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    topology.train()
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    gradient = GradientOfBatch(
        topology, topology.student, accelerator, rows=rows, batch_size=batch_size, seed=0, channels_last=True
    )
    generator = torch.Generator().manual_seed(0)
    modality = recipe.modality["image"]
    shape = (2 * batch_size, modality.get("channels", 3), modality["size"], modality["size"])
    inputs = {"image": torch.randn(shape, generator=generator)}
    return gradient, Batch(inputs, torch.arange(batch_size), None, None, None)


def take(gradient: GradientOfBatch, batch: Batch, number: int) -> float:
    begin = time.perf_counter()
    gradient.add(batch, step=number, part=0, share=1.0, progress=0.0, synchronise=True)
    return time.perf_counter() - begin


def resident_mib(what: str) -> float:
    """``VmRSS`` now or ``VmHWM``, the most since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def memory_of(batch_size: int, rows: int | None) -> None:
    take(*step_of(min(64, batch_size), rows), 0)  # loads what is loaded once
    gradient, batch = step_of(batch_size, rows)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_mib("VmRSS")
    take(gradient, batch, 0)
    print(resident_mib("VmHWM") - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", nargs=2, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        batch_size, rows = args.memory_of
        memory_of(batch_size, rows or None)
        return
    ways = {
        f"plain, {args.batch}": (args.batch, None),
        f"cached, {args.batch} by {args.rows}": (args.batch, args.rows),
        f"plain, {args.rows}": (args.rows, None),
    }
    steps = {name: step_of(*way) for name, way in ways.items()}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(args.rounds + 1):
        for name, (gradient, batch) in steps.items():
            seconds = take(gradient, batch, number)
            if number:  # the first warms up
                found[name].append(seconds / len(batch) * 1e6)
    plain = min(found[f"plain, {args.batch}"])
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'':28}{'µs a sample':>12}{'ratio':>8}{'MiB of a step':>15}")
    for name, values in found.items():
        batch_size, rows = ways[name]
        command = [sys.executable, sys.argv[0], "--memory-of", str(batch_size), str(rows or 0)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{name:28}{min(values):12.0f}{min(values) / plain:8.2f}{float(done.stdout):15.0f}")


if __name__ == "__main__":
    main()
