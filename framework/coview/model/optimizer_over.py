"""The optimiser of a recipe over some parameters, and how much it keeps of what it trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coview.errors import CoviewError
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

_SIDE = 64
"""Of a matrix on which a row and a column more hardly count."""


def optimizer_over(recipe: Recipe, registry: Registry, params: list[dict[str, Any]], **changed: Any) -> Any:
    """What the recipe's optimiser makes of groups of parameters, which nobody has looked at yet.

    Args:
        recipe: The recipe.
        registry: Where the optimiser comes from.
        params: The groups, as PyTorch has them.
        **changed: Values of a group, to be tried in place of those of the optimiser's table.

    Raises:
        CoviewError: If the optimiser refuses a value; the message says where in the recipe it is chosen.
    """
    assert recipe.optimizer is not None
    parameters = {**recipe.optimizer.parameters, **changed}
    try:
        return registry.build("optimizer", recipe.optimizer.use, supplied={"params": params}, **parameters)
    except CoviewError as error:
        of = f"with {', '.join(f'{key} = {value}' for key, value in changed.items())} in a group: " if changed else ""
        raise CoviewError(f"{recipe.where('optimizer', 'use')}: {of}{error.message}", error.hint) from error


def copies_by_optimizer(recipe: Recipe, registry: Registry) -> float:
    """How many numbers the recipe's optimiser keeps for each one that it trains: found by a step on something small."""
    parameter = nn.Parameter(torch.zeros(_SIDE, _SIDE, device="cpu"))
    parameter.grad = torch.ones_like(parameter)
    optimizer = optimizer_over(recipe, registry, [{"params": [parameter]}])
    optimizer.step()
    kept = [value for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor) and value.ndim]
    return sum(tensor.nbytes for tensor in kept) / parameter.nbytes
