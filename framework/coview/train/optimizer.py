"""The optimiser of a recipe, over the groups of a model's parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from coview.errors import CoviewError
from coview.model.parameter_groups import GroupOfParameters
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


def trained(groups: Sequence[GroupOfParameters]) -> list[GroupOfParameters]:
    """The groups that an optimiser gets: all but those that are frozen for good."""
    return [group for group in groups if group.settings.freeze is not True]


def build_optimizer(recipe: Recipe, registry: Registry, groups: Sequence[GroupOfParameters]) -> torch.optim.Optimizer:
    """The optimiser of a recipe, with one group for each of those that are trained, in their order.

    Raises:
        CoviewError: If there is nothing to train, or the optimiser refuses what it gets or loses a group of it.
    """
    assert recipe.optimizer is not None
    where = recipe.where("optimizer", "use")
    wanted = trained(groups)
    if not any(name.split(".")[0] != "loss" for group in wanted for name in group.parameters):
        raise CoviewError(f"{where}: the model has no parameter to train")
    params = [{"params": list(group.parameters.values()), **group.settings.options} for group in wanted]
    try:
        optimizer = registry.build(
            "optimizer", recipe.optimizer.use, supplied={"params": params}, **recipe.optimizer.parameters
        )
    except CoviewError as error:
        raise CoviewError(f"{where}: {error.message}", error.hint) from error
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
    return optimizer
