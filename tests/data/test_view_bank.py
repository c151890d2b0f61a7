"""Batches of views that several runs need: made once, the same to the bit, within a bound, and never at a run's cost."""

from __future__ import annotations

import os
from multiprocessing import get_context

import numpy as np
import pytest
import torch

import coview
from coview.data.building import build_view_maker
from coview.data.loader import view_loader
from coview.data.view_bank import ViewBank, bytes_below, put_on, why_off

KEYS = [
    [(epoch, batch, row) for row in rows] for epoch, batch, rows in ((0, 0, [3, 1]), (0, 1, [0, 2]), (1, 0, [2, 3]))
]


class Counted:
    """A data set of four pictures that counts how often it is read; the fourth cannot be."""

    classes = ("even", "odd")
    splits = ("train",)
    version = "1"

    def __init__(self):
        self.read = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.read += 1
        if index == 3:
            raise coview.SampleError("3", "it is broken")
        value = np.random.default_rng(index).integers(0, 255, (8, 8, 1)).astype(np.uint8)
        return coview.Sample({"image": value}, id=index, label=index % 2, group=f"g{index}", extras={"age": index / 2})


@pytest.fixture
def batches(write_recipe, small_recipe, registry):
    recipe = coview.load_recipe(write_recipe(small_recipe), registry=registry)
    modality = registry.build("modality", "image", **recipe.modality["image"])

    def load(dataset, bank, workers=0):
        maker = build_view_maker(recipe, registry)
        return list(view_loader(dataset, maker, {"image": modality}, KEYS, workers=workers, extras=("age",), bank=bank))

    return load


def same(batch, other):
    assert batch.rows == other.rows
    assert batch.skipped == other.skipped
    assert (batch.epoch, batch.number) == (other.epoch, other.number)
    for name in ("ids", "labels", "groups"):
        assert torch.equal(getattr(batch, name), getattr(other, name))
    assert torch.equal(batch.inputs["image"], other.inputs["image"])
    assert torch.equal(batch.extras["age"], other.extras["age"])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_run_reads_no_sample_and_gets_the_same_batches(batches, tmp_path, workers):
    plain = batches(Counted(), None)
    bank = ViewBank(tmp_path / "stream", 2**20)
    for first, expected in zip(batches(Counted(), bank, workers), plain, strict=True):
        same(first, expected)
    again = Counted()
    for second, expected in zip(batches(again, bank), plain, strict=True):
        same(second, expected)
    assert again.read == 0
    assert why_off(tmp_path) == ""


def test_streams_do_not_see_each_other(tmp_path):
    ViewBank(tmp_path / "one", 2**20).put([(0, 0, 1)], ["of one"])
    assert ViewBank(tmp_path / "two", 2**20).get([(0, 0, 1)]) is None
    assert ViewBank(tmp_path / "one", 2**20).get([(1, 0, 1)]) is None
    assert ViewBank(tmp_path / "one", 2**20).get([(0, 0, 1)]) == ["of one"]


def test_a_full_bank_takes_no_more_and_says_so(tmp_path):
    bank = ViewBank(tmp_path / "stream", 10_000)
    for key in range(30):
        bank.put([key], [os.urandom(1000)])
    assert 5_000 < bytes_below(tmp_path) <= 10_000 + 10_000 / 50 + 1100
    assert "it may" in why_off(tmp_path)
    assert bank.get([0]) is not None
    assert bank.get([29]) is None
    put_on(tmp_path)
    assert why_off(tmp_path) == ""


def test_what_cannot_be_written_ends_the_bank_and_not_the_run(batches, tmp_path):
    (tmp_path / "stream").write_text("in the way")  # as a disk that takes nothing
    bank = ViewBank(tmp_path / "stream", 2**20)
    for first, expected in zip(batches(Counted(), bank), batches(Counted(), None), strict=True):
        same(first, expected)
    assert why_off(tmp_path) != ""
    bank = ViewBank(tmp_path / "other" / "stream", 2**20)
    (tmp_path / "other").mkdir()
    bank.put([0], [lambda: None])
    assert "pickle" in why_off(tmp_path / "other").lower()


def test_a_bank_that_has_been_removed_is_none(batches, tmp_path):
    gone = tmp_path / "gone" / "stream"
    for first, expected in zip(batches(Counted(), ViewBank(gone, 2**20)), batches(Counted(), None), strict=True):
        same(first, expected)
    assert not gone.parent.exists()


def _writes(bank, keys):
    for key in keys:
        assert bank.get([key]) in (None, [key] * 1000)
        bank.put([key], [key] * 1000)


def test_many_processes_write_the_same_at_a_time(tmp_path):
    bank = ViewBank(tmp_path / "stream", 2**24)
    context = get_context("fork")
    processes = [context.Process(target=_writes, args=(bank, range(50))) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(bank.get([key])[0] for key in range(50)) == list(range(50))
    assert len(list((tmp_path / "stream").iterdir())) == 50
