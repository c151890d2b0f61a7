"""The kit finds what is wrong with an optimiser. Each here is right but for one mistake."""

import pytest
import torch
from failing import failures

import coview
from coview.testing import ConformanceError, check_optimizer

REGISTRY = coview.load_plugins()
OWN = [component.name for component in REGISTRY.of_kind("optimizer") if not component.is_family]
OF_LIBRARIES = [
    *(f"torch:{name}" for name in ("Adam", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adamax", "ASGD")),
    *(f"timm:{name}" for name in ("lamb", "lion", "adopt", "adamp", "sgdw", "nadamw", "radam")),
]


NOT_BY_GROUP = {
    "timm:lamb": "timm clips by one norm for all groups",
    "torch:Adagrad": "initial_accumulator_value is used as it is made, and a recipe refuses it of a group",
}


@pytest.mark.parametrize("use", [*OWN, *OF_LIBRARIES])
def test_what_a_recipe_can_use_keeps_its_promises(use):
    reason = NOT_BY_GROUP.get(use)
    excepted = {"heeds_what_a_group_says": reason} if reason else None
    check_optimizer(REGISTRY.resolve("optimizer", use).factory(), parameters={"lr": 0.01}, except_for=excepted)


def sgd(params, *, lr: float, weight_decay: float = 0.0):
    return torch.optim.SGD(params, lr=lr, weight_decay=weight_decay)


def a_function(params, *, lr: float):
    return lambda: None


def one_group(params, *, lr: float):
    return torch.optim.SGD([p for group in params for p in group["params"]], lr=lr)


def climbs(params, *, lr: float):
    return torch.optim.SGD(params, lr=lr, maximize=True)


class FillsInGradients(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter) if parameter.grad is None else parameter.grad
        return super().step(closure)


def fills_in_gradients(params, *, lr: float):
    return FillsInGradients(params, lr=lr)


class KeepsItsRate(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]
        return super().step(closure)


def keeps_its_rate(params, *, lr: float):
    return KeepsItsRate(params, lr=lr)


class OneDecayForAll(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            group["weight_decay"] = self.defaults["weight_decay"]
        return super().step(closure)


def one_decay_for_all(params, *, lr: float, weight_decay: float = 0.0):
    return OneDecayForAll(params, lr=lr, weight_decay=weight_decay)


class ForgetsItsMomentum(torch.optim.SGD):
    def state_dict(self):
        return {**super().state_dict(), "state": {}}


def forgets_its_momentum(params, *, lr: float):
    return ForgetsItsMomentum(params, lr=lr, momentum=0.9)


RATE = {"lr": 0.01}


def test_the_original_is_right():
    check_optimizer(sgd, parameters=RATE)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (a_function, "makes_a_torch_optimizer"),
        (one_group, "makes_a_torch_optimizer"),
        (climbs, "goes_down"),
        (fills_in_gradients, "leaves_what_has_no_gradient"),
        (keeps_its_rate, "heeds_the_rate"),
        (one_decay_for_all, "heeds_what_a_group_says"),
        (forgets_its_momentum, "goes_on_from_its_state"),
    ],
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_optimizer, mutant, parameters=RATE)[0] == {check}


def test_what_is_wrong_is_said():
    with pytest.raises(ConformanceError, match=r"weight_decay = 0\.1 in a group does not do what it does in the table"):
        check_optimizer(one_decay_for_all, parameters=RATE)
