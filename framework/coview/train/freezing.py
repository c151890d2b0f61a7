"""Keeping frozen parts of a model as they are: in evaluation mode, and without gradients while that lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from coview.model.parameter_groups import GroupOfParameters, wholly_of
from coview.plugins.duration import Duration


@dataclass(frozen=True)
class _Frozen:
    until: int | None
    """The first step at which they are trained; None: never."""
    parameters: tuple[nn.Parameter, ...]
    modules: tuple[nn.Module, ...]


class Freezing:
    """What is frozen, and for how long: a function of the step alone, so that a resume changes nothing.

    Args:
        model: Whose parts are frozen.
        groups: All groups of its parameters.
        steps_per_epoch: Optimiser steps in an epoch.
    """

    def __init__(self, model: nn.Module, groups: Sequence[GroupOfParameters], steps_per_epoch: int) -> None:
        lengths: dict[int | None, list[nn.Parameter]] = {}
        for group in groups:
            if (freeze := group.settings.freeze) not in (None, False):
                until = None if freeze is True else Duration.parse(freeze or 0).in_steps(steps_per_epoch)
                lengths.setdefault(until, []).extend(group.parameters.values())
        frozen = [parameter for parameters in lengths.values() for parameter in parameters]
        parts = list(wholly_of(model, frozen))
        self._frozen = [
            _Frozen(until, tuple(parameters), tuple(part for part in parts if _last_of(part, lengths) == until))
            for until, parameters in lengths.items()
        ]
        self._thawed: set[int] = set()

    def set_modes(self, step: int) -> None:
        """Puts parts that are wholly frozen at a step into evaluation mode, and those that no longer are into training.

        Called before each step, and after whatever has put the whole model into training mode.
        """
        for number, frozen in enumerate(self._frozen):
            thawed = frozen.until is not None and step >= frozen.until
            if thawed and number in self._thawed:
                continue
            if thawed:
                self._thawed.add(number)
            for module in frozen.modules:
                module.train(thawed)

    def drop_gradients(self, step: int) -> None:
        """Takes away the gradients of what is frozen at a step: an optimiser leaves alone what has none."""
        for frozen in self._frozen:
            if frozen.until is not None and step < frozen.until:
                for parameter in frozen.parameters:
                    parameter.grad = None


def _last_of(part: nn.Module, lengths: dict[int | None, list[nn.Parameter]]) -> int | None:
    """Until when a part is wholly frozen: as long as the first of its parameters that is trained again."""
    own = {id(parameter) for parameter in part.parameters()}
    untils = [until for until, parameters in lengths.items() if any(id(p) in own for p in parameters)]
    return min((until for until in untils if until is not None), default=None)
