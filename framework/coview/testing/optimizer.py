"""What every optimiser promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coview.plugins.parameters import Parameters
from coview.testing.conformance import Check, Problems, run_checks

_STEPS = 3
_SHAPES = ((6, 5), (5,), (3, 4, 2, 2))
"""Of a matrix, of a vector, and of the weights of a convolution."""


@dataclass(frozen=True)
class OptimizerUnderTest:
    """An optimiser, by what builds it.

    Attributes:
        factory, parameters: A fresh instance is ``factory(params=…, **parameters)``.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]

    def over(self, groups: Sequence[Mapping[str, Any]], **changed: Any) -> Any:
        """A new instance over groups of parameters."""
        return self.factory(
            params=[dict(group) for group in groups], **{**copy.deepcopy(dict(self.parameters)), **changed}
        )


def makes_a_torch_optimizer(tested: OptimizerUnderTest) -> Problems:
    """A ``torch.optim.Optimizer`` that has the groups which it is given, in their order, each with a rate."""
    first, second = weights(), weights()
    optimizer = tested.over([{"params": first}, {"params": second}])
    if not isinstance(optimizer, torch.optim.Optimizer):
        yield f"it makes a {type(optimizer).__name__}"
        return
    made = [[id(parameter) for parameter in group["params"]] for group in optimizer.param_groups]
    if made != [[id(parameter) for parameter in group] for group in (first, second)]:
        yield "it does not keep the groups of parameters that it is given"
    if not all("lr" in group for group in optimizer.param_groups):
        yield 'a group has no "lr", which coview sets before each step'


def goes_down(tested: OptimizerUnderTest) -> Problems:
    """Steps make a sum of squares smaller, and every number stays finite."""
    given = weights()
    optimizer = tested.over([{"params": given}])
    before = _sum_of_squares(given)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        _sum_of_squares(given).backward()
        optimizer.step()
    after = _sum_of_squares(given)
    if not torch.isfinite(after):
        yield f"after {_STEPS} steps a parameter is not finite"
    elif after >= before:
        yield f"{_STEPS} steps along the gradient of a sum of squares lead from {before:.4g} to {after:.4g}"


def leaves_what_has_no_gradient(tested: OptimizerUnderTest) -> Problems:
    """A parameter without a gradient stays as it is: it may be frozen for a time."""
    given, kept = weights(), weights()
    optimizer = tested.over([{"params": [*given, *kept]}])
    _steps(optimizer, given)
    if _differ(kept, weights()):
        yield "it moves a parameter that has no gradient"


def heeds_the_rate(tested: OptimizerUnderTest) -> Problems:
    """The rate of a group is what is set before a step: schedules work so."""
    still, moved = weights(), weights()
    optimizer = tested.over([{"params": still}, {"params": moved}])
    optimizer.param_groups[0]["lr"] = 0.0
    _steps(optimizer, [*still, *moved])
    if _differ(still, weights()):
        yield "a group whose rate is set to 0 moves"
    if not _differ(moved, weights()):
        yield "a group moves nothing at the rate that the optimiser is made with"


def heeds_what_a_group_says(tested: OptimizerUnderTest) -> Problems:
    """A number in a group, such as ``weight_decay``, does to it what it does to all in the optimiser's own table."""
    schema = Parameters.of(tested.factory, "optimizer")
    for parameter in schema.parameters:
        value = tested.parameters.get(parameter.name, parameter.default)
        if parameter.name == "lr" or isinstance(value, bool) or not isinstance(value, float):
            continue
        other = value / 2 if value else 0.1
        if schema.check({**tested.parameters, parameter.name: other}):
            continue
        in_group, in_table = weights(), weights()
        try:
            of_table = tested.over([{"params": in_table}], **{parameter.name: other})
        except ValueError:  # it does not go with the other parameters
            continue
        _steps(of_table, in_table)
        _steps(tested.over([{"params": in_group, parameter.name: other}]), in_group)
        if _differ(in_group, in_table):
            yield f"{parameter.name} = {other} in a group does not do what it does in the table of the optimiser"


def goes_on_from_its_state(tested: OptimizerUnderTest) -> Problems:
    """With the state of another it takes the step which that one takes: a run is resumed so."""
    whole, half = weights(), weights()
    first = tested.over([{"params": whole}])
    _steps(first, whole)
    with torch.no_grad():
        for parameter, value in zip(half, whole, strict=True):
            parameter.copy_(value)
    second = tested.over([{"params": half}])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    _steps(first, whole)
    _steps(second, half)
    if _differ(whole, half):
        yield "with the state_dict() of another instance it goes on differently from that instance"


def weights() -> list[nn.Parameter]:
    """Parameters of several shapes, the same at each call."""
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in _SHAPES]


def _steps(optimizer: Any, parameters: Sequence[nn.Parameter]) -> None:
    """Some steps on gradients that differ from step to step."""
    for step in range(_STEPS):
        generator = torch.Generator().manual_seed(step)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator) + 0.1 * parameter.detach()
        optimizer.step()


def _sum_of_squares(parameters: Sequence[nn.Parameter]) -> Tensor:
    return torch.stack([parameter.square().sum() for parameter in parameters]).sum()


def _differ(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return any(not torch.equal(one, other) for one, other in zip(some, others, strict=True))


OPTIMIZER_CHECKS: Mapping[str, Check[OptimizerUnderTest]] = {
    check.__name__: check
    for check in (
        makes_a_torch_optimizer,
        goes_down,
        leaves_what_has_no_gradient,
        heeds_the_rate,
        heeds_what_a_group_says,
        goes_on_from_its_state,
    )
}

_AFTER = {name: ("makes_a_torch_optimizer",) for name in OPTIMIZER_CHECKS if name != "makes_a_torch_optimizer"}


def check_optimizer(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(OPTIMIZER_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that an optimiser promises.

    Args:
        factory: Builds it, as ``factory(params=…, **parameters)``.
        parameters: What it is built with; at least ``lr`` where it has no default, small enough to go down.
        only: Names of the checks to run, of ``OPTIMIZER_CHECKS``.
        except_for: Checks that this optimiser is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(OPTIMIZER_CHECKS, OptimizerUnderTest(factory, parameters or {}), factory, only, except_for, after=_AFTER)
