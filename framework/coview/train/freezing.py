"""Keeping frozen parts of a model as they are: in evaluation mode, and without gradients while that lasts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from coview.model.parameter_groups import GroupOfParameters, wholly_of


class Freezing:
    """What is frozen, and for how long: a function of the step alone, so that a resume changes nothing.

    Args:
        model: Whose parts are frozen.
        groups: All groups of its parameters.
        steps_per_epoch: Optimiser steps in an epoch.
    """

    def __init__(self, model: nn.Module, groups: Sequence[GroupOfParameters], steps_per_epoch: int) -> None:
        self._model = model
        self._lengths: dict[int | None, list[nn.Parameter]] = {}
        """Frozen parameters by the first step at which they are trained; None: never."""
        for group in groups:
            length = group.settings.frozen_for
            if length is not None or group.settings.is_frozen_for_good:
                until = None if length is None else length.in_steps(steps_per_epoch)
                self._lengths.setdefault(until, []).extend(group.parameters.values())
        self._frozen: frozenset[int | None] = frozenset()
        self._parts: tuple[nn.Module, ...] = ()

    def set_modes(self, step: int) -> None:
        """Puts parts that are wholly frozen at a step into evaluation mode, and those that no longer are into training.

        Called before each step, and after whatever has put the whole model into training mode. A part that is thawed
        may have parts that stay frozen for longer, so the parts are found anew whenever something is thawed.
        """
        frozen = frozenset(until for until in self._lengths if until is None or step < until)
        if frozen != self._frozen:
            for part in self._parts:
                part.train()
            parameters = [parameter for until in frozen for parameter in self._lengths[until]]
            self._frozen, self._parts = frozen, tuple(wholly_of(self._model, parameters))
        for part in self._parts:
            part.eval()

    def drop_gradients(self, step: int) -> None:
        """Takes away the gradients of what is frozen at a step: an optimiser leaves alone what has none."""
        for until, parameters in self._lengths.items():
            if until is not None and step < until:
                for parameter in parameters:
                    parameter.grad = None
