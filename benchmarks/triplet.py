"""Batch-hard triplet loss, forward and backward, beside pytorch-metric-learning: time and peak memory.

    python benchmarks/triplet.py            # 2 views of 4096 samples in 128 dimensions

Each side runs in a process of its own, in turns; times are the best of all calls, of the clock and of the processor,
since other programs run on the machine. Memory is the growth of its peak resident size over what it had with the
libraries imported and the rows made.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch


def coviews(z_VND: torch.Tensor) -> Callable[[], torch.Tensor]:
    import coview
    from coview_losses.triplet import Triplet

    loss = Triplet(mining="hard", margin=0.5)
    return lambda: loss(coview.Views.of(z_VND))


def pytorch_metric_learnings(z_VND: torch.Tensor) -> Callable[[], torch.Tensor]:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    distance = LpDistance(normalize_embeddings=False)
    miner = BatchHardMiner(distance=distance)
    loss = TripletMarginLoss(margin=0.5, distance=distance, reducer=MeanReducer())
    labels = torch.arange(z_VND.shape[1]).repeat(len(z_VND))

    def call() -> torch.Tensor:
        rows = z_VND.flatten(0, 1)
        value: torch.Tensor = loss(rows, labels, miner(rows, labels))
        return value

    return call


SIDES = {"coview": coviews, "pytorch-metric-learning": pytorch_metric_learnings}


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(side: str, samples: int, width: int, repeats: int) -> dict[str, float]:
    # the first call of a matrix product and of its gradient loads kernels and starts threads
    small = torch.randn(2, 64, width, requires_grad=True)
    SIDES[side](small)().backward()
    z_VND = torch.randn(2, samples, width, generator=torch.Generator().manual_seed(0)).requires_grad_()
    call, before, wall, processor = SIDES[side](z_VND), peak(), [], []
    for _ in range(repeats):
        z_VND.grad = None
        start, start_processor = time.perf_counter(), time.process_time()
        value = call()
        value.backward()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    assert z_VND.grad is not None
    return {
        "seconds": min(wall),
        "processor": min(processor),
        "mib": peak() - before,
        "loss": value.item(),
        "gradient": z_VND.grad.norm().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3, help="calls in a process")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each side")
    parser.add_argument("--side", choices=SIDES, help="one side, in this process, as JSON")
    args = parser.parse_args()
    if args.side:
        print(json.dumps(measure(args.side, args.samples, args.width, args.repeats)))
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}")
    print(f"{2 * args.samples} rows of width {args.width}, best of {args.rounds * args.repeats}")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(args.rounds):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, *sys.argv[1:]]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs[side].append(json.loads(done.stdout))
    found = {}
    for side, rows in runs.items():
        row = found[side] = {key: min(run[key] for run in rows) for key in rows[0]}
        row["mib"] = max(run["mib"] for run in rows)
        same = f"loss {row['loss']:.6f}, gradient {row['gradient']:.6f}"
        print(f"{side:24} {row['seconds']:6.2f} s ({row['processor']:.2f} s processor) {row['mib']:6.0f} MiB   {same}")
    mine, theirs = found.values()
    ratios = (theirs[key] / mine[key] for key in ("seconds", "processor", "mib"))
    print("{:.1f} times as fast ({:.1f} by processor time), {:.0f} times less memory".format(*ratios))


if __name__ == "__main__":
    main()
