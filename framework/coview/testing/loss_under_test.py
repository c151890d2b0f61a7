"""A loss that is being checked: fresh instances of it, the parameters at which to look, and what it is shown."""

from __future__ import annotations

import copy
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
import torch
from torch import nn

from coview.data.generators import seeded
from coview.model.views import Views
from coview.plugins.parameters import Parameters
from coview.recipe.logit_scale import LogitScale
from coview.recipe.needs import Needs, needs_of
from coview.testing.examples import WIDTH, example_cases, example_views

TOLERANCE = 1e-10
"""In fp64, relative to the larger of 1 and what is compared."""

ONE_PAIR = (4, 9, 6, 4, 8, 5, 7)
"""Ids of seven samples, of which the first and the fourth are equal."""

NEAR_AN_OPEN_BOUND = 0.01
"""How far inside of a bound that is excluded a parameter is tried."""


@dataclass(frozen=True)
class LossUnderTest:
    """A loss, by what builds it.

    Attributes:
        factory: Called with keyword parameters.
        parameters: Those that every instance gets.
        width: Of the projections, for a loss that asks for it.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    width: int = WIDTH

    def fresh(self, *, dtype: torch.dtype = torch.float64, seed: int = 0) -> Any:
        """A new instance: the same initial values for the same seed, whatever the loss did before."""
        with seeded(seed):
            offered = {"width": self.width, "token_width": self.width, "own_scale": LogitScale(10.0, -1.0)}
            supplied = Parameters.of(self.factory, "loss").taken(offered)
            loss = self.factory(**supplied, **copy.deepcopy(dict(self.parameters)))
        return loss.to(dtype) if isinstance(loss, nn.Module) else loss

    @cached_property
    def needs(self) -> Needs:
        """What an instance declares."""
        return needs_of(self.fresh()) or Needs()

    def choices(self) -> Iterator[LossUnderTest]:
        """As it is, and with each value of each parameter that is a choice."""
        yield self
        yield from self._varied(_choices)

    def extremes(self) -> Iterator[LossUnderTest]:
        """With each choice, and with each number at each of its bounds."""
        yield from self.choices()
        yield from self._varied(_bounds)

    def described(self) -> str:
        """Its parameters in words, to end a sentence with."""
        listed = ", ".join(f"{name} = {value!r}" for name, value in self.parameters.items())
        return f" ({listed})" if listed else ""

    def _varied(self, values_of: Callable[[Any], list[Any]]) -> Iterator[LossUnderTest]:
        for name, info in Parameters.of(self.factory, "loss").model.model_fields.items():
            annotation = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
            for value in values_of(annotation):
                varied = LossUnderTest(self.factory, {**self.parameters, name: value}, self.width)
                try:
                    varied.fresh()
                except ValueError:
                    continue  # parameters that do not go together
                yield varied


def situations(tested: LossUnderTest, **options: Any) -> Iterator[tuple[str, Views, Callable[[], Any]]]:
    """For each choice of parameters and each case its name, views, and what builds a fresh loss, in fp64."""
    for varied in tested.choices():
        for name, arguments in example_cases(varied.needs).items():
            yield name + varied.described(), example_views(varied.needs, **arguments, **options), varied.fresh


def _choices(annotation: Any) -> list[Any]:
    if annotation is bool:
        return [False, True]
    if get_origin(annotation) is Literal:
        return [value for value in get_args(annotation) if value is not None]
    return [value for part in _parts(annotation) for value in _choices(part)]


def _bounds(annotation: Any) -> list[Any]:
    if get_origin(annotation) is not Annotated:
        return [value for part in _parts(annotation) for value in _bounds(part)]
    base, *constraints = get_args(annotation)
    inside = NEAR_AN_OPEN_BOUND if base is float else 1
    values: list[Any] = []
    for constraint in constraints:
        for part in constraint if isinstance(constraint, at.GroupedMetadata) else (constraint,):
            match part:
                case at.Gt(gt=bound):
                    values.append(base(bound) + inside)
                case at.Lt(lt=bound):
                    values.append(base(bound) - inside)
                case at.Ge(ge=bound):
                    values.append(base(bound))
                case at.Le(le=bound):
                    values.append(base(bound))
    return values


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
