"""Pretraining on cores that somebody else uses too: coview as it comes, by settings of one's own, and lightly.

SimCLR on Fashion-MNIST as in pretrain.py. Each measurement is a process of its own, once on cores that nothing else
uses and once beside one process for each core that computes all the time. "As it comes" is `coview run` without any
setting of threads, loader processes or waiting; the rows below it say theirs. lightly runs in its loop of pretrain.py
with PyTorch's own threads, and with as many loader processes as there are cores, or one.

    python benchmarks/contention.py [--steps 60] [--warmup 20] [--rounds 2] [--threads 1 2] [--workers 0 1 2]
        [--spins 0 10000] [--only NAME …]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from joblib import cpu_count

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "image" / "methods" / "simclr.toml"
OF_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Contender:
    """What is run, by which settings.

    Attributes:
        by: "coview" or "lightly".
        workers: Loader processes; None: coview's default.
        environment: Variables that say how threads compute and wait; all others of this kind are removed.
    """

    by: str
    workers: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def speed(self, args: argparse.Namespace) -> float:
        """Samples a second after the warm-up."""
        kept = {name: value for name, value in os.environ.items() if name not in OF_THREADS}
        environment = {**kept, **self.environment}
        if self.by == "lightly":
            steps = ["--steps", str(args.steps), "--warmup", str(args.warmup), "--workers", str(self.workers)]
            command = [sys.executable, str(HERE / "pretrain.py"), "--here", "lightly", *steps]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            return float(done.stdout.splitlines()[-1])
        with tempfile.TemporaryDirectory() as out:
            subprocess.run(self.command(args, out), env=environment, capture_output=True, text=True, check=True)
            found = next(Path(out).rglob("metrics.jsonl"))
            lines = [json.loads(line) for line in found.read_text().splitlines()]
        first, last = lines[0], lines[-1]
        return float(args.batch * (last["step"] - first["step"]) / (last["time"] - first["time"]))

    def command(self, args: argparse.Namespace, out: str) -> list[str]:
        """Of a run of coview, from the command line."""
        settings = {
            "encoder.width": 16,
            "train.batch_size": args.batch,
            "train.steps": args.steps,
            "schedule.warmup": 0,
            "train.log_every": args.warmup,
            "train.precision": '"fp32"',
            "evaluate": "[]",
        }
        if self.workers is not None:
            settings["data.workers"] = self.workers
        sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", "coview", "run", str(RECIPE), *sets, "--out", out]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other work: processes that compute all the time."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def contenders(args: argparse.Namespace) -> dict[str, Contender]:
    found = {"coview as it comes": Contender("coview")}
    for threads, workers, spins in product(args.threads, args.workers, args.spins):
        if threads == 1 and spins != args.spins[0]:
            continue  # one thread waits for none
        environment = {"OMP_NUM_THREADS": str(threads)} | ({} if spins == "default" else {"GOMP_SPINCOUNT": spins})
        name = f"coview, {threads} threads, {workers} loader processes"
        found[name if threads == 1 else f"{name}, spins {spins}"] = Contender("coview", workers, environment)
    for workers in (cpu_count(), 1):
        found[f"lightly, {workers} loader processes"] = Contender("lightly", workers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("steps", 60), ("warmup", 20), ("rounds", 2), ("batch", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, cpu_count()}))
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--spins", nargs="+", default=["0", "default"], help="GOMP_SPINCOUNT, or default")
    parser.add_argument("--only", nargs="+", metavar="PART", help="contenders that have one of these in their names")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what computes beside it ends with it
    chosen = {n: c for n, c in contenders(args).items() if not args.only or any(part in n for part in args.only)}
    found: dict[tuple[str, int], float] = {}
    for _ in range(args.rounds):
        for (name, contender), others in product(chosen.items(), (0, cpu_count())):
            with busy(others):
                found[name, others] = max(found.get((name, others), 0.0), contender.speed(args))
            print(f"  {name}, {others} busy: {found[name, others]:.0f}", file=sys.stderr, flush=True)
    print(f"{args.batch} samples a step, {cpu_count()} cores; samples a second, the better of {args.rounds} rounds\n")
    print("| | alone | beside one busy process a core | kept |\n|---|---|---|---|")
    for name in chosen:
        alone, beside = found[name, 0], found[name, cpu_count()]
        print(f"| {name} | {alone:,.0f} | {beside:,.0f} | {beside / alone:.2f} |")


if __name__ == "__main__":
    main()
