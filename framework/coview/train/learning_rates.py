"""The learning rate of each group of parameters, at each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from coview.model.parameter_groups import GroupOfParameters
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.length import Length
from coview.train.optimizer import trained
from coview.train.schedule import build_schedule


class LearningRates:
    """Sets the learning rates of an optimiser.

    Args:
        recipe: The recipe.
        registry: Where its schedules come from.
        groups: All groups of parameters.
        optimizer: Made for these, its rates as the recipe gives them.
        length: Of the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        groups: Sequence[GroupOfParameters],
        optimizer: torch.optim.Optimizer,
        length: Length,
    ) -> None:
        self._optimizer = optimizer
        self.peak = float(optimizer.defaults["lr"])
        self._schedule = build_schedule(recipe.schedule, registry, length)
        self._of_groups = [
            (
                float(made["lr"]) * group.settings.lr_scale,
                self._schedule
                if group.settings.schedule is None
                else build_schedule(group.settings.schedule, registry, length),
            )
            for made, group in zip(optimizer.param_groups, trained(groups), strict=True)
        ]

    def set(self, step: int) -> None:
        """Sets them for a step, counted from 0."""
        for group, (peak, schedule) in zip(self._optimizer.param_groups, self._of_groups, strict=True):
            group["lr"] = peak * schedule(step)

    def at(self, step: int) -> float:
        """The rate for a step of parameters that are in no group of the recipe."""
        return self.peak * self._schedule(step)
