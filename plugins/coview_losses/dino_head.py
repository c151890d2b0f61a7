"""DINO's projector: an MLP with a bottleneck, then unit vectors before weight-normalised prototypes."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from coview_losses.cosine import no_autocast, unit_rows


class DINOHead(nn.Module):
    """Linear layers with GELU, unit length, and the cosines to learnable prototypes (arXiv:2104.14294, appendix C).

    The linear layers start from a truncated normal of 0.02 without biases, as in the authors' code. In that the
    prototypes stay as they are for the first epoch: ``[[optimizer.group]]`` with ``match = "projector.prototype*"`` and
    ``freeze = "1 epoch"``, which takes their gradients away, so that they neither move nor decay.

    Args:
        hidden: Width of each hidden layer; the paper's is 2048.
        bottleneck: Width before the prototypes; the paper's is 256.
        width: Prototypes, which are the width of the projections; the paper's is 65536.
        layers: Linear layers before the prototypes; the paper's is 3.
        batch_norm: Whether each hidden layer is batch-normalised; the paper does for convolutional encoders.
        norm_last_layer: Whether the prototypes are of unit length, so that what comes out are cosines; else their
            lengths are learnt, from 1 on. The authors' code says false of ViT-S, and true of ViT-B and ResNets.
    """

    def __init__(
        self,
        in_width: int,
        hidden: Annotated[int, Ge(1)] = 2048,
        bottleneck: Annotated[int, Ge(1)] = 256,
        width: Annotated[int, Ge(2)] = 65_536,
        layers: Annotated[int, Ge(1)] = 3,
        batch_norm: bool = False,
        norm_last_layer: bool = True,
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(layers - 1):
            parts.append(nn.Linear(in_width, hidden, bias=not batch_norm))
            if batch_norm:
                parts.append(nn.BatchNorm1d(hidden))
            parts.append(nn.GELU())
            in_width = hidden
        self.layers = nn.Sequential(*parts, nn.Linear(in_width, bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        self.prototypes_KD = nn.Parameter(torch.randn(width, bottleneck) / bottleneck**0.5)
        self.prototype_lengths_K1 = None if norm_last_layer else nn.Parameter(torch.ones(width, 1))
        self.width = width

    def forward(self, x_ND: Tensor) -> Tensor:
        """Cosines to the prototypes, times their lengths where these are learnt: ``(N, width)``."""
        bottleneck_NB = self.layers(x_ND)
        with no_autocast(x_ND.device):
            z_NB = unit_rows(bottleneck_NB)
            prototypes_KD = unit_rows(self.prototypes_KD)
            if self.prototype_lengths_K1 is not None:
                prototypes_KD = prototypes_KD * self.prototype_lengths_K1
            return z_NB @ prototypes_KD.to(z_NB.dtype).T
