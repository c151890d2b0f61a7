"""What a rank needs for the loss of a wide head: DINO's, which sees its own rows alone, and as if it saw all.

Processes on this machine (gloo) take one step of the loss, forward and backward, on the same batch of all of them
together. Bytes are what a rank gives to the others to gather and to add up; memory is its peak beyond its own
projections.

    OMP_NUM_THREADS=1 python benchmarks/own_rows.py [--batch 64] [--width 65536] [--ranks 1 2 4]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from measuring import added_to_peak
from torch import Tensor

import coview
from coview.data.batch import Batch
from coview.model.gather import rank_weight, views_of_all_ranks
from coview.model.loss_terms import LossTerms, Term
from coview.model.tower import Projected

VIEWS = 2


def step(terms: LossTerms, made: Projected, teacher_GND: Tensor, batch: Batch) -> None:
    gathered = terms.gathered(queue=False)
    modalities = ("image",) * VIEWS
    views = views_of_all_ranks(made, batch, modalities, global_views=VIEWS, teacher_GND=teacher_GND, gathered=gathered)
    (terms(views)["loss"] * rank_weight(views)).backward()


def work(rank: int, ranks: int, address: str, of: str, batch: int, width: int, answers: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    given = {"gathered": 0, "added up": 0}

    def counting(name: str, collective: Any, place: int) -> Any:
        def counted(*arguments: Any, **options: Any) -> Any:
            given[name] += arguments[place].numel() * arguments[place].element_size()
            return collective(*arguments, **options)

        return counted

    patched: Any = dist
    patched.all_gather = counting("gathered", dist.all_gather, 1)
    patched.all_reduce = counting("added up", dist.all_reduce, 0)
    dino = coview.load_plugins().build("loss", "dino", supplied={"width": width})
    dino.needs = replace(dino.needs, rows=of)
    terms = LossTerms([Term("dino", 1.0, dino)])
    own = batch // ranks
    generator = torch.Generator().manual_seed(rank)
    z_VND, t_GND = (torch.randn(VIEWS, own, width, generator=generator) for _ in range(2))
    z_VND.requires_grad_()
    ids = torch.arange(own) + rank * own
    small = Projected(z_VND[:, :1], z_VND[:, :1])
    step(terms, small, t_GND[:, :1], Batch({}, ids[:1], None, None, None))  # loads what is loaded once
    given.update(dict.fromkeys(given, 0))
    z_VND.grad = None
    dist.barrier()
    run = partial(step, terms, Projected(z_VND, z_VND), t_GND, Batch({}, ids, None, None, None))
    peak = added_to_peak(run, torch.device("cpu"))
    dist.barrier()
    if rank == 0:
        answers.put((given["gathered"] / 2**20, given["added up"] / 2**20, peak))
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64, help="of all ranks together")
    parser.add_argument("--width", type=int, default=65_536)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    args = parser.parse_args()
    print(
        f"dino, {args.batch} samples, {VIEWS} views of {args.width:,}, fp32, MiB of a rank; torch {torch.__version__}"
    )
    print(f"{'ranks':>5}  {'rows':<5} {'gathered':>9} {'added up':>9} {'peak':>7}")
    for ranks in args.ranks:
        for of in ("all", "own"):
            with tempfile.TemporaryDirectory() as folder:
                answers = torch.multiprocessing.get_context("fork").SimpleQueue()
                arguments = (ranks, str(Path(folder) / "meeting"), of, args.batch, args.width, answers)
                torch.multiprocessing.start_processes(work, arguments, ranks, start_method="fork")
                gathered, added_up, peak = answers.get()
            print(f"{ranks:>5}  {of:<5} {gathered:>9.1f} {added_up:>9.1f} {peak:>7.0f}", flush=True)


if __name__ == "__main__":
    main()
