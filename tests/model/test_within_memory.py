"""What does not fit is a message, before it is allocated; what fits is built as without the watch."""

from __future__ import annotations

import resource

import psutil
import pytest
import torch
from torch import nn

import coview
from coview.model import within_memory
from coview.model.within_memory import WithinMemory, free_memory
from forked import Forked

HUGE = 2**40


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(2**25, 2**18, bias=False),
        lambda: nn.Conv2d(3, 2**31 - 2, 2**4),
        lambda: nn.Embedding(2**40, 32),
        lambda: torch.zeros(HUGE, 8),
        lambda: torch.randn((HUGE, 2), generator=torch.Generator()),
        lambda: torch.full((HUGE,), 1.0, dtype=torch.float64),
        lambda: torch.zeros(2**63 - 1, 128),
        lambda: torch.empty(2**62, 2**62),
    ],
    ids=["linear", "convolution", "embedding", "zeros", "randn", "full", "beyond 64 bits", "far beyond"],
)
def test_what_no_machine_holds_is_refused(make):
    says = r"needs (.* GB of memory, and .* GB are free|a tensor that no)"
    with pytest.raises(coview.CoviewError, match=says) as caught, WithinMemory():
        make()
    assert "width or a depth smaller" in caught.value.hint


def test_what_fits_is_the_same():
    def build():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Embedding(3, 4), nn.LSTM(4, 4))

    expected = build().state_dict()
    with WithinMemory():
        found = build().state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_what_is_made_without_memory_is_not_looked_at():
    with WithinMemory(), torch.device("meta"):
        assert nn.Linear(2**25, 2**18).weight.is_meta
    with torch.device("meta"), WithinMemory():
        assert nn.Linear(2**25, 2**18).weight.is_meta
    with WithinMemory():
        assert torch.empty(HUGE, device="meta").is_meta
        with pytest.raises(RuntimeError, match="negative dimension"):
            torch.empty(-1)


def test_many_small_tensors_are_looked_at_too(monkeypatch):
    monkeypatch.setattr(within_memory, "free_memory", lambda: 2**25)
    with WithinMemory():
        nn.ModuleList(nn.Linear(1024, 1024, bias=False) for _ in range(15))  # 4 MiB each
        with pytest.raises(coview.CoviewError, match=r"the model needs 0\.1 GB of memory, and 0\.0 GB are free"):
            nn.Linear(1024, 1024, bias=False)


def test_the_smallest_of_what_is_left_counts(monkeypatch, tmp_path):
    free = free_memory()
    assert 0 < free <= psutil.virtual_memory().available + psutil.swap_memory().free + 2**28
    monkeypatch.setattr(within_memory, "_left_to_group", lambda: 2**27)
    assert free_memory() == 2**27
    with WithinMemory():
        torch.empty(2**25)
        with pytest.raises(coview.CoviewError, match=r"needs 0\.3 GB of memory, and 0\.1 GB are free"):
            torch.empty(2**26)


@pytest.mark.usefixtures("forks")
def test_a_limit_of_the_process_counts(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**35, 2**35))\n"
        "from coview.model.within_memory import _left_to_process; print(int(_left_to_process()))"
    )
    status, out, err = Forked(["python", "-c", code], tmp_path).finish()
    assert status == 0, err
    assert 0 < int(out) < 2**35
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert within_memory._left_to_process() == float("inf")


@pytest.mark.parametrize(
    "setting", ["encoder.width=2147483646", "projector.width=1000000000", "projector.hidden=1000000000"]
)
def test_a_run_of_such_a_recipe_is_refused(call, write_recipe, tmp_path, setting):
    done = call("run", write_recipe(), "--set", setting, "--out", "runs")
    assert done.status == 2, done.err
    assert "of memory, and" in done.err or "no machine can hold" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("setting", ["modality.size=1000000000", "augment.0.size=1000000000"])
def test_a_size_of_pictures_beyond_any_memory_is_a_mistake_of_the_recipe(call, write_recipe, setting):
    done = call("recipe", "check", write_recipe(), "--set", setting)
    assert done.status == 2
    assert "8192" in done.err
