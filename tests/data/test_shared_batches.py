"""Batches that come through memory that is used again: the same values, and never overwritten while they are used."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview.data.batch import Batch
from coview.data.loader import sample_loader, view_loader
from coview.data.order import Order, RankBatches
from coview.data.shared_batches import Receiver, Sender, received
from coview.data.views import ViewMaker


def batch(**inputs):
    return Batch(inputs=inputs, ids=torch.arange(3), labels=None, scores=None, groups=None)


def large(value, size=100_000):
    return torch.full((size,), value, dtype=torch.uint8)


DTYPES = st.sampled_from([torch.uint8, torch.bool, torch.int64, torch.float32, torch.float64, torch.bfloat16])


@given(st.lists(st.tuples(DTYPES, st.lists(st.integers(1, 40), min_size=1, max_size=4)), max_size=4))
def test_what_is_received_is_what_was_sent(given):
    generator = torch.Generator().manual_seed(0)
    tensors = {
        str(i): torch.randint(0, 2, shape, generator=generator).to(dtype) for i, (dtype, shape) in enumerate(given)
    }
    receiver = Receiver()
    sender = Sender(receiver.name)
    got = received(sender.send(batch(**tensors, nested={"x": large(3)})))
    assert torch.equal(got.inputs["nested"]["x"], large(3))
    assert list(got.inputs) == [*tensors, "nested"]
    for name, tensor in tensors.items():
        assert got.inputs[name].dtype == tensor.dtype
        assert torch.equal(got.inputs[name], tensor)
    assert torch.equal(got.ids, torch.arange(3))


def test_the_layout_of_pictures_is_kept():
    pictures = torch.rand(4, 3, 64, 64).to(memory_format=torch.channels_last)
    receiver = Receiver()
    sender = Sender(receiver.name)
    got = received(sender.send(batch(image=pictures))).inputs["image"]
    assert torch.equal(got, pictures)
    assert got.stride() == pictures.stride()


def test_a_part_is_used_again_once_nothing_of_its_batch_is():
    receiver = Receiver()
    sender = Sender(receiver.name)
    first = received(sender.send(batch(x=large(1))))
    kept = first.inputs["x"][5:7]
    del first
    second = received(sender.send(batch(x=large(2))))
    assert kept.tolist() == [1, 1]
    del kept
    gc.collect()
    sent = sender.send(batch(x=large(3)))
    assert sent.part is None, "it is the first part, which the other side has"
    third = received(sent)
    assert third.inputs["x"].unique().tolist() == [3]
    assert second.inputs["x"].unique().tolist() == [2]


def test_a_part_grows():
    receiver = Receiver()
    sender = Sender(receiver.name)
    for size in (100_000, 200_000, 150_000):
        assert received(sender.send(batch(x=large(7, size)))).inputs["x"].shape == (size,)
    assert sender.send(batch(x=large(7, 150_000))).key == (os.getpid(), 0)


def test_a_fork_frees_nothing():
    receiver = Receiver()
    sender = Sender(receiver.name)
    first = received(sender.send(batch(x=large(1))))
    if (child := os.fork()) == 0:
        del first
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    second = received(sender.send(batch(x=large(2))))
    assert first.inputs["x"].unique().tolist() == [1]
    assert second.inputs["x"].unique().tolist() == [2]


class Pictures:
    splits = ()
    modalities = ("image",)
    classes = None
    citation = licence = version = ""

    def __len__(self):
        return 240

    def __getitem__(self, index):
        return coview.Sample({"image": np.full((64, 64, 3), index, np.uint8)}, id=index)


class Collate:
    def collate(self, values):
        return torch.from_numpy(np.stack(values))


def of_a_run(workers):
    maker = ViewMaker(0, ("image", "image"), [[], []], 2)
    order = Order(240, 20, 0)
    return view_loader(Pictures(), maker, {"image": Collate()}, RankBatches(order, 0, 30), workers=workers)


def test_batches_that_are_kept_are_those_without_workers():
    """Thirty batches of 491,520 bytes at once, of which a process has at most five under way."""
    for one, other in zip(list(of_a_run(0)), list(of_a_run(2)), strict=True):
        assert torch.equal(one.inputs["image"], other.inputs["image"])
        assert torch.equal(one.ids, other.ids)


def test_batches_that_are_dropped_are_too():
    expected = [int(batch.inputs["image"].sum()) for batch in of_a_run(0)]
    assert [int(batch.inputs["image"].sum()) for batch in of_a_run(2)] == expected


def test_a_loader_that_is_left_leaves_its_batches():
    found = sample_loader(Pictures(), "image", Collate(), batch_size=30, workers=1)
    first = next(found)
    found.close()
    assert first.inputs["image"][:, 0, 0, 0].tolist() == list(range(30))


@pytest.mark.gpu
def test_pinned_batches_are_the_same():
    maker = ViewMaker(0, ("image", "image"), [[], []], 2)
    batches = RankBatches(Order(240, 20, 0), 0, 30)
    found = view_loader(Pictures(), maker, {"image": Collate()}, batches, workers=2, device=torch.device("cuda"))
    for one, other in zip(of_a_run(0), found, strict=True):
        assert other.inputs["image"].is_pinned()
        assert torch.equal(one.inputs["image"], other.inputs["image"])
