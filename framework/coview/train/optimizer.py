"""Optimisers, with decay and adaptation only where they belong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from coview.errors import CoviewError
from coview.recipe.tables import TrainTable


def parameter_groups(modules: Iterable[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    """Parameters of two or more dimensions with decay, the rest (biases, norms, scalars) without.

    By dimension and not by name: every library names its norms differently.
    """
    seen: dict[int, nn.Parameter] = {}
    for module in modules:
        seen |= {id(p): p for p in module.parameters() if p.requires_grad}
    matrices = [p for p in seen.values() if p.ndim >= 2]
    vectors = [p for p in seen.values() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def build_optimizer(train: TrainTable, modules: Iterable[nn.Module]) -> torch.optim.Optimizer:
    """The optimiser of a recipe over all parameters of some modules.

    Raises:
        CoviewError: If there is nothing to train, or timm, which has LARS, is not installed.
    """
    groups = parameter_groups(modules, train.weight_decay)
    if not groups:
        raise CoviewError("the model has no parameter to train")
    if train.optimizer == "adamw":
        # one kernel in place of a dozen for each kind of tensor: small models wait for kernels to be started
        fused = all(parameter.is_cuda for group in groups for parameter in group["params"])
        return torch.optim.AdamW(groups, lr=train.lr, betas=train.betas, fused=fused)
    if train.optimizer == "sgd":  # not fused: in fp16 a first step that overflows leaves its momentum uninitialised
        return torch.optim.SGD(groups, lr=train.lr, momentum=train.momentum)
    try:
        from timm.optim.lars import Lars  # of the extra "image"
    except ModuleNotFoundError:
        raise CoviewError(
            "train.optimizer: lars comes from timm, which is not installed", hint="pip install timm"
        ) from None
    # timm adapts only groups with decay unless told to: matrices always are, vectors never
    for group in groups:
        group["always_adapt"] = group["params"][0].ndim >= 2
    optimizer: torch.optim.Optimizer = Lars(
        groups, lr=train.lr, momentum=train.momentum, trust_coeff=train.trust_coefficient
    )
    return optimizer
