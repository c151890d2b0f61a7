"""The layers that leave out others at random in training (stochastic depth, arXiv:1603.09382), whoever wrote them."""

from __future__ import annotations

from torch import nn

_ENDINGS = ("DropPath", "StochasticDepth")
"""What timm, torchvision and every model of transformers call theirs: they have no class in common."""


def is_stochastic_depth(module: nn.Module) -> bool:
    """Whether a module is one of these layers."""
    return type(module).__name__.endswith(_ENDINGS)
