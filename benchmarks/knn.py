"""Exact nearest neighbours beside the bare matrix product and the peers: time and memory beyond the features.

Ours and the bare matrix product take turns, so that what else the machine does hits both alike. The ratio is of the
fastest rounds, as other work only ever adds time. Memory is measured in a process of its own for each contender
on a CPU.

    python benchmarks/knn.py [--queries 10000] [--bank 50000] [--width 512] [--k 20] [--rounds 5] [--without-peers]
        [--device cpu]
    python benchmarks/knn.py --operations

With ``--operations`` nothing is timed or even computed: on PyTorch's meta device, which has no values, it counts the
operations of the search that a GPU does, and what they read and write.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
from measuring import Operations, added_to_peak, added_to_peak_apart, now, where


def features(args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries_QD, bank_BD = (torch.randn(n, args.width, generator=generator) for n in (args.queries, args.bank))
    for x_ND in (queries_QD, bank_BD):
        x_ND /= x_ND.norm(dim=1, keepdim=True)
    found = queries_QD, bank_BD, torch.randint(10, (args.bank,), generator=generator)
    return tuple(tensor.to(args.device) for tensor in found)  # type: ignore[return-value]


def contenders(args: argparse.Namespace) -> dict[str, Callable[[], object]]:
    queries_QD, bank_BD, labels_B = features(args)

    def ours() -> object:
        from coview.evaluate.neighbours import nearest

        return nearest(queries_QD, bank_BD, args.k)

    tile_WB = torch.empty(min(512, args.queries), args.bank, device=args.device)

    def bare_in_tiles() -> object:
        for queries_WD in queries_QD.split(len(tile_WB)):
            torch.mm(queries_WD, bank_BD.T, out=tile_WB[: len(queries_WD)])
        return tile_WB

    whole_QB: list[torch.Tensor] = []

    def bare_in_one() -> object:
        if not whole_QB:
            whole_QB.append(torch.zeros(args.queries, args.bank, device=args.device))
        return torch.mm(queries_QD, bank_BD.T, out=whole_QB[0])

    def topk_of_rows() -> object:
        for queries_WD in queries_QD.split(len(tile_WB)):
            torch.mm(queries_WD, bank_BD.T, out=tile_WB[: len(queries_WD)]).topk(args.k)
        return tile_WB

    def scikit_learn() -> object:
        from sklearn.neighbors import NearestNeighbors

        peer = NearestNeighbors(n_neighbors=args.k, algorithm="brute").fit(bank_BD.cpu().numpy())
        return peer.kneighbors(queries_QD.cpu().numpy())

    def lightly() -> object:
        from lightly.utils.benchmarking import knn_predict

        for queries_WD in queries_QD.split(512):
            knn_predict(queries_WD, bank_BD.T, labels_B, 10, knn_k=args.k)
        return None

    return {
        "ours": ours,
        "bare product, in tiles": bare_in_tiles,
        "bare product, in one": bare_in_one,
        "product and topk of whole rows": topk_of_rows,
        "scikit-learn, brute": scikit_learn,
        "lightly, knn_predict": lightly,
    }


def memory_of(args: argparse.Namespace) -> None:
    """What one contender adds to the peak, after a small run has loaded what it imports."""
    small = argparse.Namespace(**{**vars(args), "queries": 64, "bank": 2048})
    contenders(small)[args.memory_of]()
    run = contenders(args)[args.memory_of]
    print(added_to_peak(run, args.device))


def count(args: argparse.Namespace) -> None:
    """What the operations are, without values."""
    runs = contenders(args)
    print(f"{'':32}{'operations':>11}{'GiB':>8}")
    for name in ("ours", "bare product, in tiles"):
        with Operations() as counted:
            runs[name]()
        print(f"{name:32}{counted.count:11}{counted.bytes / 2**30:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("queries", 10_000), ("bank", 50_000), ("width", 512), ("k", 20), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--operations", action="store_true", help="count them, and time nothing")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        memory_of(args)
        return
    if args.operations:
        count(argparse.Namespace(**{**vars(args), "device": torch.device("meta")}))
        return

    runs = contenders(args)
    alternating = ["ours", "bare product, in tiles", "bare product, in one"]
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(args.rounds + 1):
        for name in alternating:
            begin = now(args.device)
            runs[name]()
            seconds[name].append(now(args.device) - begin)
    for name in alternating:
        del seconds[name][0]  # warming up
    peers = [] if args.without_peers else [name for name in runs if name not in alternating]
    for name in peers:
        begin = now(args.device)
        runs[name]()
        seconds[name].append(now(args.device) - begin)

    bare = min(min(seconds[name]) for name in alternating[1:])
    print(f"{args.queries} queries, bank of {args.bank}, width {args.width}, k {args.k}; {where(args.device)}")
    print(f"{'':32}{'fastest':>9}{'median':>9}{'ratio':>8}{'MiB beyond the features':>26}")
    for name in [*alternating, *peers]:
        mib = added_to_peak_apart(runs[name], args.device, [*sys.argv[1:], "--memory-of", name])
        fastest, median = min(seconds[name]), statistics.median(seconds[name])
        print(f"{name:32}{fastest:8.3f}s{median:8.3f}s{fastest / bare:8.2f}{mib:26.0f}")


if __name__ == "__main__":
    main()
