import math

import pytest
import torch
from torch import nn

from coview.recipe.duration import Duration
from coview.recipe.tables import TrainTable
from coview.train.optimizer import build_optimizer, parameter_groups
from coview.train.schedule import lr_factor


def test_warm_up_is_linear_and_its_first_step_learns():
    assert [lr_factor(step, 100, 4, "cosine") for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_cosine_is_pytorchs_after_the_warm_up():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
    for step in range(10, 100):
        assert lr_factor(step, 100, 10, "cosine") == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        peer.step()


def test_constant_stays_at_the_peak():
    assert {lr_factor(step, 100, 10, "constant") for step in range(9, 100)} == {1.0}


@pytest.mark.parametrize(
    ("text", "steps"), [(7, 7), ("7 steps", 7), ("1 step", 1), ("2 epochs", 20), ("0.5 epochs", 5), ("1 epoch", 10)]
)
def test_durations_in_steps(text, steps):
    assert Duration.parse(text).in_steps(10) == steps


@pytest.mark.parametrize(("text", "seconds"), [("10m", 600), ("1.5h", 5400), ("30 s", 30)])
def test_durations_in_seconds(text, seconds):
    assert Duration.parse(text) == Duration(seconds, "seconds")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def test_decay_is_on_parameters_of_two_or_more_dimensions_only():
    model = network()
    groups = parameter_groups([model], 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert [p.ndim for p in groups[0]["params"]] == [4, 2]
    assert {p.ndim for p in groups[1]["params"]} == {1}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_shared_and_frozen_parameters():
    model = network()
    model[0].weight.requires_grad_(False)
    groups = parameter_groups([model, model], 0.1)
    assert [len(group["params"]) for group in groups] == [1, 4]


def table(**values):
    return TrainTable(batch_size=2, epochs=1, **values)


def step_once(optimizer, model):
    for number, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, 0.1 * (number + 1))
    optimizer.step()


def test_lars_is_the_papers_update_on_matrices_and_sgds_on_vectors():
    """One step by arXiv:1708.03888, algorithm 1, by hand."""
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    train = table(optimizer="lars", lr=0.3, momentum=0.9, weight_decay=0.01, trust_coefficient=0.02)
    step_once(build_optimizer(train, [model]), model)
    for number, (old, new) in enumerate(zip(before, model.parameters(), strict=True)):
        gradient = torch.full_like(old, 0.1 * (number + 1))
        if old.ndim >= 2:
            trust = 0.02 * old.norm() / (gradient.norm() + 0.01 * old.norm() + 1e-8)
            expected = old - 0.3 * trust * (gradient + 0.01 * old)
        else:
            expected = old - 0.3 * gradient
        assert torch.allclose(new, expected, atol=1e-6), number


def test_lars_adapts_matrices_without_decay_too():
    model = network()
    before = model[3].weight.detach().clone()
    step_once(build_optimizer(table(optimizer="lars", lr=1.0, weight_decay=0.0), [model]), model)
    moved = (model[3].weight.detach() - before).norm() / before.norm()
    assert float(moved) == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_decay_moves_matrices_and_leaves_vectors(name):
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    optimizer = build_optimizer(table(optimizer=name, lr=0.1, weight_decay=0.5), [model])
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter in model.parameters():
        expected = 1 - 0.1 * 0.5 if parameter.ndim >= 2 else 1.0
        assert torch.allclose(parameter, torch.full_like(parameter, expected))


def test_a_model_without_parameters_is_a_message():
    from coview import CoviewError

    with pytest.raises(CoviewError, match="no parameter to train"):
        build_optimizer(table(lr=0.1), [nn.Identity()])


def test_half_way_is_half():
    assert lr_factor(55, 100, 10, "cosine") == pytest.approx(0.5)
    assert math.isclose(lr_factor(99, 100, 0, "cosine"), 0.5 * (1 + math.cos(math.pi * 0.99)))
