"""How much an optimiser keeps of what it trains, found by letting it train something small."""

from __future__ import annotations

import torch
from torch import nn

from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

_SIDE = 64
"""Of a matrix on which a row and a column more hardly count."""


def copies_by_optimizer(recipe: Recipe, registry: Registry) -> float:
    """How many numbers the recipe's optimiser keeps for each one that it trains."""
    assert recipe.optimizer is not None
    parameter = nn.Parameter(torch.zeros(_SIDE, _SIDE, device="cpu"))
    parameter.grad = torch.ones_like(parameter)
    supplied = {"params": [{"params": [parameter]}]}
    optimizer = registry.build("optimizer", recipe.optimizer.use, supplied=supplied, **recipe.optimizer.parameters)
    optimizer.step()
    kept = [value for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor) and value.ndim]
    return sum(tensor.nbytes for tensor in kept) / parameter.nbytes
