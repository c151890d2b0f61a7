"""When a checkpoint is due: by steps, and by the clock of the first rank."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist

from coview.plugins.duration import Duration
from coview.train.checkpoint_due import CheckpointDue


def test_steps_and_epochs_are_counted():
    assert [step for step in range(1, 13) if CheckpointDue(Duration.parse(4), 10)(step)] == [4, 8, 12]
    assert [step for step in range(1, 13) if CheckpointDue(Duration.parse("0.5 epochs"), 10)(step)] == [5, 10]


def test_time_is_counted_from_the_last_one():
    due = CheckpointDue(Duration.parse("0.05s"), 10)
    assert not due(1)
    time.sleep(0.06)
    assert due(2)
    assert not due(3)


def _decide(rank, ranks, address, answers):
    dist.init_process_group("gloo", f"file://{address}", rank=rank, world_size=ranks)
    due = CheckpointDue(Duration.parse("1h"), 10, log_every=2, device=torch.device("cpu"))
    found = []
    for step in range(1, 9):
        if (rank == 0 and step == 4) or rank == 1:  # the clock of the second says that one is due at each step
            due._last -= 3601
        found.append(due(step))
    both = [None] * ranks
    dist.all_gather_object(both, found)
    if rank == 0:
        answers.put(both)
    dist.destroy_process_group()


def test_the_first_ranks_clock_counts_for_all_at_steps_that_log(answer_of_ranks):
    first, second = answer_of_ranks(_decide, 2)
    assert first == second == [step == 4 for step in range(1, 9)]
