"""The optimiser of a recipe, over the groups of a model's parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from coview.errors import CoviewError
from coview.model.optimizer_over import optimizer_over
from coview.model.parameter_groups import GroupOfParameters
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


def trained(groups: Sequence[GroupOfParameters]) -> list[GroupOfParameters]:
    """The groups that an optimiser gets: all but those that are frozen for good."""
    return [group for group in groups if not group.settings.is_frozen_for_good]


def build_optimizer(recipe: Recipe, registry: Registry, groups: Sequence[GroupOfParameters]) -> torch.optim.Optimizer:
    """The optimiser of a recipe, with one group for each of those that are trained, in their order.

    Raises:
        CoviewError: If there is nothing to train, or the optimiser refuses what it gets or loses a group of it.
    """
    assert recipe.optimizer is not None
    where = recipe.where("optimizer", "use")
    wanted = trained(groups)
    if not _is_of_a_model(wanted):
        raise CoviewError(f"{where}: the model has no parameter to train")
    if not _is_of_a_model([group for group in wanted if group.settings.frozen_for is None]):
        raise CoviewError(
            f"{where}: every parameter of the model is frozen at the first step", hint="leave some of them to train"
        )
    params = [{"params": list(group.parameters.values()), **group.settings.options} for group in wanted]
    optimizer = optimizer_over(recipe, registry, params)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise CoviewError(
            f"{where}: {recipe.optimizer.use} has to make a torch.optim.Optimizer, and makes a "
            f"{type(optimizer).__name__}",
            hint="tell the author of the plugin",
        )
    made = [[id(parameter) for parameter in group["params"]] for group in optimizer.param_groups]
    if made != [[id(parameter) for parameter in group.parameters.values()] for group in wanted]:
        raise CoviewError(
            f"{where}: {recipe.optimizer.use} does not keep the groups of parameters that it is given",
            hint="tell the author of the plugin: coview.testing.check_optimizer tries an optimiser",
        )
    for group in wanted:  # libraries look at the values of the table alone: as such those of a group are tried
        if group.settings.options:
            optimizer_over(recipe, registry, [{"params": list(group.parameters.values())}], **group.settings.options)
    return optimizer


def _is_of_a_model(groups: Sequence[GroupOfParameters]) -> bool:
    """Whether there is a parameter in them that is none of the loss."""
    return any(name.split(".")[0] != "loss" for group in groups for name in group.parameters)
