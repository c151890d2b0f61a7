"""Fits side by side are those that come one after the other, and leave threads as they were."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from coview import Features, FeatureSplit, Rng
from coview.builtin.evaluators import logistic
from coview.builtin.evaluators.linear_probe import LinearProbe
from coview.builtin.evaluators.side_by_side import side_by_side


@pytest.fixture(params=[1, 3])
def threads(request):
    """That many threads of PyTorch."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_each_has_one_thread_and_their_order_stays(threads):
    def fit(number):
        time.sleep(0.02 * (3 - number % 3))
        blas = [library["num_threads"] for library in threadpool_info() if library["internal_api"] == "openblas"]
        return number, torch.get_num_threads(), set(blas) - {1}, threading.get_ident()

    found = side_by_side([partial(fit, number) for number in range(6)])
    assert [entry[:3] for entry in found] == [(number, 1, set()) for number in range(6)]
    assert len({ident for *_, ident in found}) == threads
    assert torch.get_num_threads() == threads


def test_the_first_that_fails_is_raised_and_threads_are_as_before(threads):
    def fit(number):
        if number % 2:
            raise ValueError(f"fit {number}")

    with pytest.raises(ValueError, match="fit 1"):
        side_by_side([partial(fit, number) for number in range(5)])
    assert torch.get_num_threads() == threads


def test_nothing_is_fitted():
    assert side_by_side([]) == []


def overlapping(seed: int) -> Features:
    """Classes of 12 features that no line tells apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(400) % 4
    x = rng.normal(size=(4, 12))[y] + rng.normal(size=(400, 12)) * 2
    parts = {"train": (0, 240), "validation": (240, 300), "test": (300, 400)}
    tensors = torch.from_numpy(x).float(), torch.from_numpy(y)
    splits = {
        name: FeatureSplit(tensors[0][a:b], torch.arange(a, b), tensors[1][a:b]) for name, (a, b) in parts.items()
    }
    return Features(splits, ("a", "b", "c", "d"), carved=True)


@pytest.mark.parametrize("side_by_side_up_to", [0, 10**9], ids=["one by one", "side by side"])
def test_a_linear_probe_finds_the_same_on_any_number_of_threads(threads, side_by_side_up_to, monkeypatch):
    features, probe = overlapping(1), LinearProbe(labels_per_class=(5, "all"), draws=3)
    expected = probe(features, Rng(0))
    monkeypatch.setattr(logistic, "_SMALL", side_by_side_up_to)
    assert probe(features, Rng(0)) == expected
