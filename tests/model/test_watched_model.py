"""What is done to a model that one may only read is noticed, and what is only read is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coview.model.watched_model import WatchedModel


@pytest.fixture
def model():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    network(torch.randn(5, 3)).sum().backward()
    return network


def read(model):
    model[0].weight.detach().norm()
    model[0].weight.grad.abs().max()
    model.state_dict()
    with torch.no_grad():
        _ = model[0].weight + 1


def step(model):
    torch.optim.SGD(model.parameters(), lr=0.1).step()


@torch.no_grad()
def write(model):
    model[2].weight.mul_(2)


def replace(model):
    model[2].weight = nn.Parameter(torch.zeros(2, 4))


def set_data(model):
    model[2].weight.data = torch.zeros(2, 4)


def freeze(model):
    model[2].weight.requires_grad_(False)


def encode_in_training_mode(model):
    model(torch.randn(5, 3))


def clip(model):
    nn.utils.clip_grad_norm_(model[2].parameters(), 1e-3)


def forget_gradients(model):
    model[2].weight.grad = None


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (read, []),
        (step, ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]),
        (write, ["2.weight"]),
        (replace, ["2.weight", "the gradient of 2.weight"]),
        (set_data, ["2.weight"]),
        (freeze, ["2.weight"]),
        (encode_in_training_mode, ["1.num_batches_tracked"]),
        (clip, ["the gradient of 2.weight", "the gradient of 2.bias"]),
        (forget_gradients, ["the gradient of 2.weight"]),
    ],
)
def test_what_was_written_is_named(model, change, written):
    watched = WatchedModel(model)
    watched.begin()
    change(watched.get())
    assert watched.written() == written
    assert watched.put_modes_back() == []


def test_modes_are_put_back(model):
    model[1].eval()
    watched = WatchedModel(model)
    watched.get().train()
    assert watched.put_modes_back() == ["1"]
    assert [module.training for module in model.modules()] == [True, True, False, True]
    watched.get().eval()
    assert watched.put_modes_back() == ["the whole model", "0", "2"]


def test_who_has_not_asked_for_the_model_is_not_watched_and_who_has_is_for_good(model):
    watched = WatchedModel(model)
    watched.begin()
    write(model)
    assert watched.written() == []
    kept = watched.get()
    watched.begin()
    write(kept)
    assert watched.written() == ["2.weight"]
    watched.begin()
    assert watched.written() == []
