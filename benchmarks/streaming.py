"""Data larger than the room for them: time, memory and room on the disk, and how well shards are shuffled.

Each contender reads all samples of the same tar files in a process of its own, in one thread. ``fetched`` is
``streamed_tars`` with addresses (``file://``), so that shards are copied into a cache that holds a part of the data.
``in place`` is the same in a folder, ``map-style`` is ``pairs_shards``, which shuffles all samples, and ``webdataset``
has a buffer of as many samples as ``streamed_tars`` has in the shards that it reads at a time.

    python benchmarks/streaming.py [--shards 40] [--samples 400] [--kilobytes 20] [--at-once 4] [--rounds 2]
    python benchmarks/streaming.py --mixing
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import resident_mib

from coview.builtin.datasets.pairs_shards import PairsShards
from coview.builtin.datasets.streamed_tars import StreamedTars
from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.shard_order import ShardOrder
from coview.data.views import ViewMaker
from coview_text.modality import TextModality

CONTENDERS = ("in place", "fetched", "map-style", "webdataset")
BATCH = 64


def write(folder: Path, args: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    sizes = {}
    for shard in range(args.shards):
        name = f"{shard:04}.tar"
        with tarfile.open(folder / name, "w") as archive:
            for sample in range(args.samples):
                content = base64.b64encode(rng.bytes(args.kilobytes * 750))
                member = tarfile.TarInfo(f"{sample:06}.txt")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        sizes[name] = args.samples
    (folder / "sizes.json").write_text(json.dumps(sizes))


def texts_of(contender: str, folder: Path, args: argparse.Namespace) -> Iterator[str]:
    if contender == "webdataset":
        import webdataset

        buffer = args.at_once * args.samples
        urls = [str(path) for path in sorted(folder.glob("*.tar"))]
        data = webdataset.WebDataset(urls, shardshuffle=len(urls), empty_check=False).shuffle(buffer, initial=buffer)
        for sample in data:
            yield sample["txt"].decode()
        return

    class AsTheyAre:
        def collate(self, values: list[str]) -> list[str]:
            return values

    given = {"modalities": {"text": TextModality()}, "members": {"text": "txt"}, "longest_text": 10**9}
    if contender == "map-style":
        data = PairsShards(train=folder, test_fraction=1e-9, **given)
        order = Order(len(data), BATCH, 0)
    else:
        place = folder if contender == "in place" else Path(f"file://{folder}/*.tar")
        data = StreamedTars(train=place, shards_at_once=args.at_once, cache_gb=args.cache / 2**30, **given)
        order = ShardOrder(len(data), BATCH, 0, sizes=data.shard_sizes, at_once=args.at_once)
    maker = ViewMaker(seed=0, modalities=("text",), pipelines=[()], global_views=1)
    batches = RankBatches(order, 0, order.batches_per_epoch)
    for batch in view_loader(data, maker, {"text": AsTheyAre()}, batches, workers=0):
        yield from batch.inputs["text"]


def taken(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total


def measure(args: argparse.Namespace) -> None:
    """Of one contender, in this process."""
    folder = Path(args.folder)
    with tempfile.TemporaryDirectory() as kept:
        os.environ["COVIEW_DATA"] = kept
        most, done = [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                most[0] = max(most[0], taken(Path(kept)))

        texts = texts_of(args.of, folder, args)
        next(texts)  # what is imported, and indexed, is there
        before = resident_mib("VmRSS")
        thread = threading.Thread(target=watch)
        thread.start()
        start, count = time.perf_counter(), sum(1 for _ in texts)
        seconds = time.perf_counter() - start
        done.set()
        thread.join()
        added = resident_mib("VmHWM") - before
    print(json.dumps({"rate": count / seconds, "memory": added, "disk": most[0] / 2**20, "count": count}))


def compare(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args)
        whole = taken(Path(folder))
        args.cache = (2 * args.at_once + 4) * whole // args.shards
        print(f"{whole / 2**20:,.0f} MB in {args.shards} shards; room for {args.cache / 2**20:,.0f} MB")
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(args.rounds):
            for name in CONTENDERS:
                command = [sys.executable, __file__, "--of", name, "--folder", folder, "--at-once", str(args.at_once)]
                command += ["--samples", str(args.samples), "--cache", str(args.cache)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    found.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
                elif "No module named 'webdataset'" not in done.stderr:
                    raise SystemExit(done.stderr)
        best = {name: max(of["rate"] for of in rounds) for name, rounds in found.items()}
        for name, rounds in found.items():
            memory, disk = (max(of[what] for of in rounds) for what in ("memory", "disk"))
            ratio = best[name] / best["map-style"]
            print(
                f"{name:12} {best[name]:10,.0f} samples/s {ratio:6.2f}   {memory:8,.0f} MB memory {disk:8,.0f} MB disk"
            )


def mixing() -> None:
    """Shards of one class each: how many classes a batch has, and how many of its pairs are of one class."""
    shards, size, classes, batch = 200, 500, 100, 256
    label_N = np.repeat(np.arange(shards) % classes, size)
    orders: dict[str, Order] = {
        str(n): ShardOrder(shards * size, batch, 0, sizes=(size,) * shards, at_once=n) for n in (1, 4, 16, 64)
    }
    orders["full shuffle"] = Order(shards * size, batch, 0)
    for name, order in orders.items():
        rows = order.epoch(0)
        label_KB = label_N[rows[: len(rows) // batch * batch]].reshape(-1, batch)
        counts = np.stack([np.bincount(label_B, minlength=classes) for label_B in label_KB])
        same = (counts * (counts - 1)).sum(axis=1) / (batch * (batch - 1))
        of_batch = (counts > 0).sum(axis=1).mean()
        print(f"{name:12} {of_batch:6.1f} classes in a batch, {same.mean():6.1%} of pairs of one class")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--kilobytes", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--mixing", action="store_true")
    parser.add_argument("--of", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.of:
        measure(args)
    elif args.mixing:
        mixing()
    else:
        compare(args)


if __name__ == "__main__":
    main()
