"""The loss of GraphMAE (Hou et al., arXiv:2205.10803, equation 2).

With p the prediction of a hidden node and x its features,

    loss = mean over hidden nodes of  (1 - cos(p, x))^alpha

The larger alpha is, the less the nodes count that are predicted well already.
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn.functional import normalize

import coview


class ScaledCosine:
    """A power of the cosine distance.

    Args:
        alpha: The exponent, 1 to 10; GraphMAE on Cora: 3; on CiteSeer: 1.
    """

    needs = coview.Needs(views=1, smallest_batch=1, projections=False, tokens="numbers")
    read_each_step = ("alpha",)

    def __init__(self, *, alpha: Annotated[float, Ge(1), Le(10)] = 2.0) -> None:
        self.alpha = alpha

    def __call__(self, views: coview.Views) -> Tensor:
        """The loss of the whole batch."""
        tokens = views.tokens
        if tokens is None:
            raise ValueError("scaled_cosine is a loss of hidden nodes, and these views have none: tokens is None")
        dtype = torch.promote_types(tokens.predictions.dtype, torch.float32)
        with torch.autocast(tokens.predictions.device.type, enabled=False):
            predicted_KP = normalize(tokens.predictions.to(dtype), dim=-1, eps=1e-3)
            wanted_KP = normalize(tokens.targets.to(dtype), dim=-1, eps=1e-3)
            distance_K = (1 - (predicted_KP * wanted_KP).sum(-1)).clamp(min=0)
            return tokens.mean(distance_K**self.alpha)
