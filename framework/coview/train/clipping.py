"""Clipping gradients: all of them together, or each parameter's by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from coview.recipe.tables import TrainTable
from coview.train.sharding import local, norms


def clip_gradients(
    accelerator: Accelerator, optimizer: Any, parameters: Iterable[nn.Parameter], table: TrainTable
) -> bool:
    """Shortens the gradients that are longer than ``clip_norm``, once ranks have averaged them.

    Args:
        accelerator: Which knows what fp16 has scaled them by: it is divided out first.
        optimizer: Prepared by it.
        parameters: All of the model's and the loss's.
        table: The recipe's.

    Returns:
        Whether anything is clipped, and so the gradients are no longer scaled.
    """
    if table.clip_norm is None:
        return False
    accelerator.unscale_gradients(optimizer)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    clip = clip_all if table.clip_norm_of == "all" else clip_each
    clip(gradients, table.clip_norm)
    return True


def clip_all(gradients: list[Tensor], norm: float) -> None:
    """Shortens gradients together so that all of them are no longer than ``norm``, in place, as PyTorch does."""
    if gradients:
        total = torch.linalg.vector_norm(torch.stack(norms(gradients)))
        torch._foreach_mul_(local(gradients), (norm / (total + 1e-6)).clamp(max=1.0))


def clip_each(gradients: list[Tensor], norm: float) -> None:
    """Shortens each gradient to ``norm`` where it is longer, in place, without a wait for the device."""
    if not gradients:
        return
    shares = [(norm / (of_one + 1e-6)).clamp(max=1.0) for of_one in norms(gradients)]
    torch._foreach_mul_(local(gradients), shares)
