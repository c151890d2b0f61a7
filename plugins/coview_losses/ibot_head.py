"""iBOT's head on tokens: DINO's, as a decoder."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

import coview
from coview_losses.dino_head import DINOHead


class IBOTHead(nn.Module):
    """Linear layers with GELU, unit length, and the cosines to learnable prototypes, of each token (arXiv:2111.07832,
    appendix A); for ``hide = "replace"``.

    Args:
        prototypes: Of each token; iBOT's are 8192, DINOv2's 65536.
        hidden: Width of each hidden layer; the paper's is 2048.
        bottleneck: Width before the prototypes; the paper's is 256.
        layers: Linear layers before the prototypes; the paper's is 3.
        norm_last_layer: Whether the prototypes are of unit length; else their lengths are learnt, from 1 on.
    """

    def __init__(
        self,
        in_width: int,
        prototypes: Annotated[int, Ge(2)] = 8192,
        hidden: Annotated[int, Ge(1)] = 2048,
        bottleneck: Annotated[int, Ge(1)] = 256,
        layers: Annotated[int, Ge(1)] = 3,
        norm_last_layer: bool = True,
    ) -> None:
        super().__init__()
        self.head = DINOHead(
            in_width,
            hidden=hidden,
            bottleneck=bottleneck,
            width=prototypes,
            layers=layers,
            norm_last_layer=norm_last_layer,
        )
        self.width = prototypes

    def forward(self, seen: coview.DecoderInput) -> Tensor:
        """``(K, prototypes)`` of the tokens that are wanted."""
        made: Tensor = self.head(seen.tokens_MTD[seen.wanted_MT])
        return made
