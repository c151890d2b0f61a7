"""The same training by coview and by another library's own modules, in turns: what is learnt, and how long it takes.

Pictures beside lightly, texts beside sentence-transformers. Both have the same data, encoder, steps, batch, optimiser,
rate and precision, and no loader processes; beside_pictures.py and beside_texts.py say what. Each training is a process
of its own, and who begins changes from seed to seed. The clock runs from reading data and model to the trained encoder,
after a first training of one step, in which everything is imported. Features are judged by scikit-learn (judging.py).
Intervals are 95 % of a paired t test over the seeds; that of the ratio, of its logarithm.

    OMP_NUM_THREADS=1 python benchmarks/beside_others.py pictures FOLDER [--width 32]
    OMP_NUM_THREADS=1 python benchmarks/beside_others.py texts BANKING77 STSB-TEST.csv MODEL [--lr 3e-5]

Both take [--seeds 3] [--steps N] [--batch N] [--precision fp32|bf16] [--only NAME ...].
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import beside_pictures
import beside_texts
import torch
from measuring import where
from scipy import stats

import coview

WORKS: dict[str, Any] = {"pictures": beside_pictures, "texts": beside_texts}
CLOCKS = ("seconds", "processor seconds")
Found = dict[str, list[dict[str, float]]]


def train_and_judge(work: Any, args: argparse.Namespace) -> dict[str, float]:
    """One contender, one seed, in this process."""
    registry = coview.load_plugins()
    train = work.CONTENDERS[args.here]
    train(argparse.Namespace(**{**vars(args), "steps": 1}), registry)
    began, processor_began = time.perf_counter(), time.process_time()
    encoder = train(args, registry)
    taken = {CLOCKS[0]: time.perf_counter() - began, CLOCKS[1]: time.process_time() - processor_began}
    return {**work.judge(encoder, args, registry), **taken}


def in_turns(names: list[str], seeds: int) -> Found:
    """Each contender with each seed, in processes of their own."""
    found: Found = {name: [] for name in names}
    for seed in range(seeds):
        for name in names if seed % 2 == 0 else reversed(names):
            command = [sys.executable, *sys.argv, "--here", name, "--seed", str(seed)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps({"seed": seed, "by": name, **found[name][-1]}), file=sys.stderr, flush=True)
    return found


def compared(ours: list[float], theirs: list[float], clock: bool) -> str:
    """The mean of the differences with its interval; of a clock, of the ratios, by their logarithms."""
    back: Callable[[float], float] = math.exp if clock else float
    each = [math.log(a / b) if clock else a - b for a, b in zip(ours, theirs, strict=True)]
    form = ".2f" if clock else "+.4f"
    middle = statistics.mean(each)
    if len(each) == 1:
        return f"{back(middle):{form}}"
    half = float(stats.t.ppf(0.975, len(each) - 1)) * statistics.stdev(each) / math.sqrt(len(each))
    return f"{back(middle):{form}} [{back(middle - half):{form}}, {back(middle + half):{form}}]"


def table(found: Found) -> str:
    """Markdown: a row for each measure and contender; the last contender against the one before it."""
    seeds = len(next(iter(found.values())))
    heads = ["measured", "by", *(f"seed {seed}" for seed in range(seeds)), "mean", "difference, or ratio"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    *_, theirs, ours = [None, *found]
    for key in next(iter(found.values()))[0]:
        clock = key in CLOCKS
        for name, numbers in found.items():
            if clock and name not in (theirs, ours):
                continue
            values = [number[key] for number in numbers]
            shown = [f"{value:.0f}" if clock else f"{value:.4f}" for value in [*values, statistics.mean(values)]]
            against = theirs is not None and name == ours
            beside = compared(values, [number[key] for number in found[theirs]], clock) if against and theirs else ""
            lines.append(f"| {' | '.join([key, name, *shown, beside])} |")
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="work", required=True)
    for name, work in WORKS.items():
        kind = kinds.add_parser(name, help=work.__doc__.splitlines()[0])
        kind.add_argument("--seeds", type=int, default=3)
        kind.add_argument("--steps", type=int)
        kind.add_argument("--batch", type=int)
        kind.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
        kind.add_argument("--only", nargs="+", choices=work.CONTENDERS, default=list(work.CONTENDERS))
        kind.add_argument("--here", help=argparse.SUPPRESS)
        kind.add_argument("--seed", type=int, help=argparse.SUPPRESS)
        work.add_arguments(kind)
    return parser.parse_args()


def main() -> None:
    args = parsed()
    if args.here:
        print(json.dumps(train_and_judge(WORKS[args.work], args)))
        return
    found = in_turns(args.only, args.seeds)
    print(f"{args.work}: {args.steps} steps of {args.batch}, {args.precision}, {where(torch.device('cpu'))}")
    print(table(found))


if __name__ == "__main__":
    main()
