"""What curves cost between their points: steps of a run with ``every`` beside those of the same run without.

SimCLR on digits (``quickstart``), measured by nearest neighbours as often as ``--every`` says. Both runs train in this
process, in turns; the least of several rounds counts for each, since other work only ever adds to it. A step is timed
from the end of the one before. The steps after which the one run measures are left out of both, so that what is left is
training alone. What the measuring took is given as a share of the whole.

    python benchmarks/curves.py [--every "2 epochs"] [--epochs 12] [--rounds 3] [--workers 0] [--precision fp32]
        [--recipe quickstart]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from types import ModuleType
from typing import Any

import torch
from measuring import where

import coview

WARMUP = 5


class Clock:
    """The moment after each step, and the steps after which was measured."""

    def __init__(self) -> None:
        self.ends: dict[int, float] = {}
        self.measured: set[int] = set()

    def registry(self) -> coview.Registry:
        """All plugins, and one that looks at the clock."""
        clock, registry = ModuleType("clock"), coview.load_plugins()

        @coview.hookimpl
        def coview_step_end(context: Any) -> None:
            self.ends[context.step] = time.perf_counter()

        @coview.hookimpl
        def coview_curve_point(context: Any) -> None:
            self.measured.add(context.step)

        clock.coview_step_end, clock.coview_curve_point = coview_step_end, coview_curve_point  # type: ignore[attr-defined]
        registry.manager.register(clock, name="clock")
        return registry

    def seconds(self, step: int) -> float:
        """What a step took, and the measuring after it."""
        return self.ends[step] - self.ends[step - 1]


def run(args: argparse.Namespace, every: str | None) -> Clock:
    clock = Clock()
    table = {"use": "knn", "k": 10} | ({"every": every} if every else {})
    overrides = {
        "evaluate": [table],
        "train.epochs": args.epochs,
        "train.precision": args.precision,
        "train.checkpoint_every": "10h",
        "data.workers": args.workers,
    }
    registry = clock.registry()
    recipe = coview.load_recipe(args.recipe, overrides=overrides, registry=registry)
    with tempfile.TemporaryDirectory() as out:
        coview.run(recipe, out, registry=registry, quiet=True)
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", default="2 epochs")
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    for name, default in (("epochs", 12), ("rounds", 3), ("workers", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    print(f"{args.recipe}, {args.workers} workers, {args.precision}, {where(torch.device('cpu'))}")
    rounds = [(run(args, None), run(args, args.every)) for _ in range(args.rounds)]
    measured = rounds[0][1].measured
    steps = [step for step in rounds[0][0].ends if step > WARMUP and step not in measured]
    speeds = [
        max(len(steps) / sum(clock.seconds(step) for step in steps) for clock in clocks)
        for clocks in zip(*rounds, strict=True)
    ]
    without, with_curves = speeds
    shares = []
    for _, clock in rounds:
        whole = clock.ends[max(clock.ends)] - clock.ends[WARMUP]
        plain = sum(clock.seconds(step) for step in steps) / len(steps)
        extra = sum(clock.seconds(step) - plain for step in measured if step > WARMUP)
        shares.append(extra / whole)
    print(f"without curves                {without:7.3f} steps/s")
    print(f"between the points of a curve {with_curves:7.3f} steps/s, {with_curves / without:.3f} of that")
    print(
        f"measuring, {len(measured) - 1} times every {args.every}: {min(shares):.1%} to {max(shares):.1%} of the time"
    )


if __name__ == "__main__":
    main()
