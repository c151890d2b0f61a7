"""A process of a test as one of several ranks, which meet at a file."""

import os

import torch
import torch.distributed as dist


def join_ranks(rank: int, ranks: int, address: str) -> None:
    """Has this process be one of them, on one thread, as a launcher would have it."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)


def leave_ranks() -> None:
    """Ends it, once all of them are here."""
    dist.barrier()
    dist.destroy_process_group()
