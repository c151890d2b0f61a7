"""The heads of published methods are MLPs of these settings: the same values and gradients as when written out."""

import pytest
import torch
from torch import nn

import coview
from coview.builtin.projectors import MLP
from coview.model.parameter_groups import parameter_groups
from coview.model.topology import build_topology

IN, HIDDEN, OUT = 12, 16, 6


def linear(inputs, outputs, *, bias=True):
    return nn.Linear(inputs, outputs, bias=bias)


def hidden(inputs, *, bias=False):
    return [linear(inputs, HIDDEN, bias=bias), nn.BatchNorm1d(HIDDEN), nn.ReLU()]


class Scaled(nn.Module):
    """Batch norm with a scale alone: TensorFlow's with ``center=False``."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(OUT))

    def forward(self, x):
        return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * self.weight


def plain():
    return nn.BatchNorm1d(OUT, affine=False)


HEADS = {
    "simclr": ({"last_batch_norm": "scale"}, [*hidden(IN), linear(HIDDEN, OUT, bias=False), Scaled()]),
    "simclr v2": (
        {"layers": 3, "last_batch_norm": "scale"},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False), Scaled()],
    ),
    "moco v2": ({"batch_norm": False}, [linear(IN, HIDDEN), nn.ReLU(), linear(HIDDEN, OUT)]),
    "sup_con": ({"batch_norm": False}, [linear(IN, HIDDEN), nn.ReLU(), linear(HIDDEN, OUT)]),
    "moco v3": ({"last_batch_norm": True}, [*hidden(IN), linear(HIDDEN, OUT, bias=False), plain()]),
    "moco v3, predictor": ({"last_bias": False}, [*hidden(IN), linear(HIDDEN, OUT, bias=False)]),
    "moco v3, vit": (
        {"layers": 3, "last_batch_norm": True},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False), plain()],
    ),
    "simsiam": (
        {"layers": 3, "last_batch_norm": True},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False), plain()],
    ),
    "simsiam, predictor": ({}, [*hidden(IN), linear(HIDDEN, OUT)]),
    "byol": ({"last_bias": False}, [*hidden(IN), linear(HIDDEN, OUT, bias=False)]),
    "byol-a": ({}, [*hidden(IN), linear(HIDDEN, OUT)]),
    "swav": ({}, [*hidden(IN), linear(HIDDEN, OUT)]),
    "barlow twins": (
        {"layers": 3, "last_bias": False},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False)],
    ),
    "vicreg": (
        {"layers": 3, "last_bias": False},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False)],
    ),
    "nnclr": (
        {"layers": 3, "last_batch_norm": "affine"},
        [*hidden(IN), *hidden(HIDDEN), linear(HIDDEN, OUT, bias=False), nn.BatchNorm1d(OUT)],
    ),
    "linear": ({"layers": 1, "last_bias": False}, [linear(IN, OUT, bias=False)]),
}
"""Settings, and the layers as the authors' code has them, but for biases before a batch norm, which do nothing."""


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_published_methods(name):
    settings, layers = HEADS[name]
    torch.manual_seed(0)
    found, expected = MLP(IN, hidden=HIDDEN, width=OUT, **settings).double(), nn.Sequential(*layers).double()
    trained = [parameter for parameter in found.parameters() if parameter.requires_grad]
    assert [p.shape for p in trained] == [p.shape for p in expected.parameters()]
    with torch.no_grad():
        for own, other in zip(trained, expected.parameters(), strict=True):
            own.add_(0.1 * torch.rand(own.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
            other.copy_(own)
    x = torch.randn(9, IN, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z, wanted = found(x), expected(x)
    torch.testing.assert_close(z, wanted, atol=1e-12, rtol=0)
    z.pow(3).sum().backward()
    wanted.pow(3).sum().backward()
    for own, other in zip(trained, expected.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, atol=1e-9, rtol=1e-9)


def test_a_shift_that_is_not_there_is_not_trained(write_recipe, registry):
    sets = ["projector.last_batch_norm=scale", "optimizer.group=[{match='*', weight_decay=0.1}]"]
    recipe = coview.load_recipe(write_recipe(), registry=registry, sets=sets)
    topology = build_topology(recipe, registry)
    groups = parameter_groups(recipe, registry, topology.student, topology.loss)
    (frozen,) = [list(group.parameters) for group in groups if group.settings.is_frozen_for_good]
    assert frozen == ["projector.4.bias"]
