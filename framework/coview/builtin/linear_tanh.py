"""A projector of one layer: linear and tanh, as BERT's pooler has it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from annotated_types import Ge
from torch import nn


class LinearTanh(nn.Sequential):
    """One linear layer and a tanh: SimCSE's head (arXiv:2104.08821), and with ``layer_norm`` COLA's (arXiv:2010.10915).

    Args:
        width: Width of the projections; SimCSE: that of the encoder; COLA: 512.
        layer_norm: Whether there is a layer norm before the tanh.
    """

    def __init__(self, in_width: int, *, width: Annotated[int, Ge(1)] = 768, layer_norm: bool = False) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(linear=nn.Linear(in_width, width))
        if layer_norm:
            parts["norm"] = nn.LayerNorm(width, eps=1e-3)  # Keras's, in which COLA is written
        super().__init__(OrderedDict(**parts, tanh=nn.Tanh()))
        self.width = width
