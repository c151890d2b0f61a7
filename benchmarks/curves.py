"""What curves cost between their points: steps of a run with ``every`` beside those of the same run without.

SimCLR on digits (``quickstart``), measured by nearest neighbours as often as ``--every`` says. Both runs train in this
process, in turns; the least of several rounds counts for each, since other work only ever adds to it. A step is timed
from the end of the one before. The steps after which the one run measures are left out of both, so that what is left is
training alone. What the measuring took is given as a share of the whole. Processor seconds are those of this process,
which does everything where there are no loader processes.

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
    """The moment after each step, by the clock and in processor seconds, and the steps after which was measured."""

    def __init__(self) -> None:
        self.ends: dict[int, tuple[float, float]] = {}
        self.measured: set[int] = set()

    def registry(self) -> coview.Registry:
        """All plugins, and one that looks at the clock."""
        clock, registry = ModuleType("clock"), coview.load_plugins()

        @coview.hookimpl
        def coview_step_end(context: Any) -> None:
            self.ends[context.step] = time.perf_counter(), time.process_time()

        @coview.hookimpl
        def coview_curve_point(context: Any) -> None:
            self.measured.add(context.step)

        clock.coview_step_end, clock.coview_curve_point = coview_step_end, coview_curve_point  # type: ignore[attr-defined]
        registry.manager.register(clock, name="clock")
        return registry

    def seconds(self, step: int, of: int) -> float:
        """What a step took, and the measuring after it: of the first or the second."""
        return self.ends[step][of] - self.ends[step - 1][of]


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
    for of, what in enumerate(("by the clock", "of the processor")):
        without, with_curves = (
            min(sum(clock.seconds(step, of) for step in steps) / len(steps) for clock in clocks)
            for clocks in zip(*rounds, strict=True)
        )
        print(f"a step without curves, {what}: {without:.4f} s; between their points: {with_curves:.4f} s")
        print(f"  speed between the points: {without / with_curves:.3f} of that without")
    shares = []
    for _, clock in rounds:
        whole = clock.ends[max(clock.ends)][1] - clock.ends[WARMUP][1]
        plain = sum(clock.seconds(step, 1) for step in steps) / len(steps)
        shares.append(sum(clock.seconds(step, 1) - plain for step in measured if step > WARMUP) / whole)
    share = f"{min(shares):.1%} to {max(shares):.1%} of the processor's time"
    print(f"measuring every {args.every}, {len(measured) - 1} times: {share}")


if __name__ == "__main__":
    main()
