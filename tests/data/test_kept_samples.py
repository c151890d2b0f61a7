"""A sample is read once and not in every epoch, within a bound, and the batches are those of reading each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coview import Negative, Sample
from coview.data.kept_samples import KeptSamples
from coview.data.loader import view_loader
from coview.data.views import PipelineStep, ViewMaker

PIXELS = 1000
OVERHEAD = 1024


class Pictures:
    """Twelve samples that count how often they are read."""

    splits = ("train",)
    modalities = ("picture",)
    classes = None
    citation = licence = version = ""

    def __init__(self):
        self.read = [0] * 12

    def __len__(self):
        return 12

    def __getitem__(self, index):
        self.read[index] += 1
        return Sample({"picture": np.full(PIXELS, index, dtype=np.uint8)}, id=index)


class Stacks:
    def collate(self, values):
        return torch.from_numpy(np.stack(values))


def darken(value, rng):
    """Writes into what it is given, as an augmentation must not."""
    value //= 2
    value += rng.numpy.integers(0, 9, value.shape).astype(np.uint8)
    return value


EPOCHS = [[(epoch, at, 4 * at + row) for row in range(4)] for epoch in range(3) for at in range(3)]


def batches(data, keep_bytes, workers=0):
    maker = ViewMaker(5, ("picture",), ((PipelineStep(0, darken),),), 1)
    loader = view_loader(data, maker, {"picture": Stacks()}, EPOCHS, workers=workers, keep_bytes=keep_bytes)
    return [batch.inputs["picture"].tolist() for batch in loader]


def test_each_sample_is_read_once_and_the_views_are_as_if_it_were_read_each_time():
    kept, read_anew = Pictures(), Pictures()
    assert batches(kept, 2**20) == batches(read_anew, 0)
    assert read_anew.read == [3] * 12
    assert kept.read == [1] * 12


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_make_the_same_views(workers):
    assert batches(Pictures(), 2**20, workers) == batches(Pictures(), 0)


def test_no_more_is_kept_than_may_be():
    data = Pictures()
    batches(data, 5 * (PIXELS + OVERHEAD) + 10)
    assert sorted(data.read) == [1] * 5 + [3] * 7


def test_each_of_several_values_of_a_sample_is_kept_by_itself():
    kept, read = KeptSamples(2**20), []

    def of(number):
        read.append(number)
        return Sample({"picture": np.full(PIXELS, number)}, id=1)

    found = [int(kept.get(7, {"picture": n}, lambda n=n: of(n))["picture"][0]) for n in (0, 1, 0, 1)]
    assert found == [0, 1, 0, 1]
    assert read == [0, 1]


HELD = np.zeros((100, PIXELS), dtype=np.uint8)


@pytest.mark.parametrize(
    ("values", "is_kept"),
    [
        ({"picture": np.zeros(PIXELS)}, True),
        ({"picture": np.zeros(PIXELS)[:900]}, True),
        ({"sound": torch.zeros(PIXELS)}, True),
        ({"sound": torch.zeros(PIXELS).numpy()}, True),
        ({"picture": np.zeros(PIXELS), "text": "a cat"}, True),
        ({"text": "a cat"}, False),
        ({"picture": HELD[7]}, False),
        ({"sound": torch.from_numpy(HELD)[7]}, False),
        ({"graph": {"nodes": np.zeros(PIXELS)}}, False),
        ({"picture": np.array([{}, {}], dtype=object)}, False),
    ],
)
def test_kept_is_what_was_decoded_and_not_what_is_in_memory_anyway(values, is_kept):
    kept, reads = KeptSamples(2**20), []

    def read():
        reads.append(1)
        return Sample(values, id=1)

    first, second = kept.get(0, {}, read), kept.get(0, {}, read)
    assert len(reads) == (1 if is_kept else 2)
    assert list(second.values) == list(first.values)


def test_what_is_handed_out_is_a_copy_of_hard_negatives_too():
    sample = Sample(
        {"picture": np.zeros(PIXELS)}, id="a", label=3, negatives={"picture": Negative(np.ones(PIXELS), id="b")}
    )
    kept = KeptSamples(2**20)
    first = kept.get(0, {}, lambda: sample)
    for _ in range(2):
        found = kept.get(0, {}, lambda: first)
        assert (found.id, found.label, found.negatives["picture"].id) == ("a", 3, "b")
        assert (found["picture"] == 0).all()
        assert (found.negatives["picture"].value == 1).all()
        found["picture"][:] = found.negatives["picture"].value[:] = 9
