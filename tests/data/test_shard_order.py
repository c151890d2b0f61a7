"""The order of shards against loops written by hand: each row once, of few shards, and of nothing but seed and epoch."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from coview.data.order import RankBatches, order_rng
from coview.data.shard_order import ShardOrder

CASES = [
    ((7, 9, 8, 11, 5), 6, 3),
    ((40,) * 10, 16, 4),
    ((5, 0, 3, 1, 1, 1, 20), 4, 16),  # an empty shard, and more lanes than places in a batch
    ((100,), 8, 8),
    ((3, 50, 2, 2, 2, 41), 10, 4),  # lanes whose parts of a batch differ in size, and shards shorter than those
]


def order_of(case, seed=3):
    sizes, batch, at_once = case
    return ShardOrder(sum(sizes), batch, seed, sizes=sizes, at_once=at_once)


def by_hand(case, seed, epoch):
    """The batches of an epoch: one queue of rows for each lane, from which each batch pops its part."""
    sizes, batch, at_once = case
    rows, first = {}, 0
    for shard, size in enumerate(sizes):
        rows[shard] = [first + int(k) for k in order_rng(seed, epoch, part=shard + 1).numpy.permutation(size)]
        first += size
    shards = order_rng(seed, epoch).numpy.permutation(len(sizes)).tolist()
    line = [row for shard in shards for row in rows[shard]]
    lanes = min(at_once, batch, len(sizes))
    batches = sum(sizes) // batch
    parts = [(lane + 1) * batch // lanes - lane * batch // lanes for lane in range(lanes)]
    queues = []
    for part in parts:
        queues.append(line[: batches * part])
        line = line[batches * part :]
    found = []
    for _ in range(batches):
        found.append([])
        for queue, part in zip(queues, parts, strict=True):
            for _ in range(part):
                found[-1].append(queue.pop(0))
    return found


@pytest.mark.parametrize("case", CASES)
def test_batches_are_those_of_a_loop(case):
    order = order_of(case)
    for epoch in (0, 1, 5):
        batches = np.array(by_hand(case, 3, epoch))
        assert order.epoch(epoch).reshape(batches.shape).tolist() == batches.tolist()
        rows = sorted(batches.ravel().tolist())
        assert len(set(rows)) == len(rows)
        assert len(rows) == sum(case[0]) // case[1] * case[1]


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_of_an_epoch_does_not_depend_on_where_one_begins_or_on_ranks(case):
    order = order_of(case)
    stop = 3 * order.batches_per_epoch
    whole = list(RankBatches(order, 0, stop))
    for start in (1, order.batches_per_epoch, stop - 1):
        assert list(RankBatches(order_of(case), start, stop)) == whole[start:]
    for ranks in (n for n in (2, 3, 4) if case[1] % n == 0):
        shares = [list(RankBatches(order, 0, stop, rank, ranks)) for rank in range(ranks)]
        assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == whole


def test_epochs_and_seeds_differ():
    case = CASES[1]
    epochs = {tuple(order_of(case, seed).epoch(epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(epochs) == 6


@pytest.mark.parametrize("case", CASES)
def test_a_batch_is_of_few_shards_which_are_known_ahead(case):
    order = order_of(case)
    sizes, batch, _ = case
    shard_of = np.repeat(np.arange(len(sizes)), sizes)
    for ranks in (n for n in (1, 2) if batch % n == 0):
        for rank in range(ranks):
            share = slice(rank * batch // ranks, (rank + 1) * batch // ranks)
            batches = RankBatches(order, 0, 2 * order.batches_per_epoch, rank, ranks)
            known: set[int] = set()
            for keys in batches:
                epoch, number, _ = keys[0]
                touched = {int(shard_of[row]) for _, _, row in keys}
                ahead = order.shards_from(epoch, number, share)
                assert set(ahead[: len(touched)]) == touched
                assert batches.shards_from(epoch, number) == ahead
                if min(sizes) >= batch:  # no shard is done within a batch, so that the next ones are known before
                    assert not known or touched <= known
                known = set(ahead)


def test_a_rank_reads_lanes_of_its_own():
    case = ((50,) * 12, 16, 4)
    order = order_of(case)
    shard_of = np.repeat(np.arange(12), 50)
    shards = [
        {int(shard_of[row]) for keys in RankBatches(order, 0, order.batches_per_epoch, rank, 2) for _, _, row in keys}
        for rank in (0, 1)
    ]
    assert len(shards[0] & shards[1]) <= 1  # one may be cut
    assert len(shards[0] | shards[1]) == 12


def test_shards_at_once_are_what_a_batch_mixes():
    for at_once in (1, 2, 8):
        order = order_of(((64,) * 16, 32, at_once))
        shard_of = np.repeat(np.arange(16), 64)
        batches = shard_of[order.epoch(0)].reshape(-1, 32)
        assert {len(set(batch)) for batch in batches.tolist()} == {at_once}
