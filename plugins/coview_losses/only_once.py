"""Gradients that cannot be differentiated again, and say so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def differentiable_once(gradient: Tensor, *computed_from: Tensor) -> Tensor:
    """The gradient as it is; whoever differentiates it by what it was computed from gets an error, not zeros."""
    if not torch.is_grad_enabled():  # nobody means to
        return gradient
    refusing: Tensor = _Refusing.apply(gradient, *computed_from)
    return refusing


class _Refusing(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *computed_from: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> None:
        raise RuntimeError(
            "a loss that is computed in tiles has no second derivative, as its tiles are not kept; "
            "in a small batch (nt_xent: below 128 rows) it is computed at once, and has one"
        )
