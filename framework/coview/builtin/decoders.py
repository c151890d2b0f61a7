"""From what an encoder has seen to predictions of hidden tokens."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from coview.model.decoder import DecoderInput
from coview.model.kept_tokens import KeptTokens
from coview.model.masked_encoder import HasPretrainingHead
from coview.model.positions import sine_positions


class Linear(nn.Module):
    """A linear map of each token where it is hidden, as SimMIM and data2vec have it; for ``hide = "replace"``."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_width, width)

    def forward(self, seen: DecoderInput) -> Tensor:
        """Maps the tokens that are wanted."""
        made: Tensor = self.linear(seen.tokens_MTD[seen.wanted_MT])
        return made


class MLP(nn.Module):
    """Linear, GELU, layer norm, linear: BERT's head of masked language models; for ``hide = "replace"``.

    Args:
        hidden: Width of the hidden layer; 0: that of the encoder's tokens, as BERT has it.
    """

    def __init__(self, in_width: int, width: int, hidden: Annotated[int, Ge(0)] = 0) -> None:
        super().__init__()
        hidden = hidden or in_width
        self.layers = nn.Sequential(
            nn.Linear(in_width, hidden), nn.GELU(), nn.LayerNorm(hidden), nn.Linear(hidden, width)
        )

    def forward(self, seen: DecoderInput) -> Tensor:
        """Maps the tokens that are wanted."""
        made: Tensor = self.layers(seen.tokens_MTD[seen.wanted_MT])
        return made


class Own(nn.Module):
    """The head that came with the encoder's weights: it continues its own pretraining; for ``hide = "replace"``.

    Where there are no weights, it is of the same architecture, as BERT's, whose last matrix is that of the embeddings.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        if not isinstance(encoder, HasPretrainingHead):
            raise ValueError(f"{type(encoder).__name__} has no head of its own: take linear or mlp")
        self.head = encoder.pretraining_head()

    def forward(self, seen: DecoderInput) -> Tensor:
        """What the head makes of the tokens that are wanted."""
        made: Tensor = self.head(seen.tokens_MTD[seen.wanted_MT])
        return made


class Transformer(nn.Module):
    """A transformer over what was seen and, where tokens are wanted, one learnt token at their positions: MAE's decoder
    (arXiv:2111.06377, section 3) and I-JEPA's predictor (arXiv:2301.08243, section 3).

    Tokens that are neither seen nor wanted are left out. Positions are fixed sines and cosines.

    Args:
        layers: MAE's is 8; I-JEPA's 6 for ViT-B, 12 for ViT-H.
        hidden: Width of its tokens; MAE's is 512, I-JEPA's 384. A multiple of ``heads``, and of 4.
        heads: Heads of its attention; MAE's is 16, I-JEPA's that of the encoder.
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        layers: Annotated[int, Ge(1)] = 8,
        hidden: Annotated[int, Ge(4)] = 512,
        heads: Annotated[int, Ge(1)] = 16,
    ) -> None:
        super().__init__()
        if hidden % heads or hidden % 4:
            raise ValueError(f"hidden = {hidden} is not a multiple of heads = {heads}, and of 4")
        self.embed = nn.Linear(in_width, hidden)
        self.wanted_token = nn.Parameter(torch.randn(hidden) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, heads, 4 * hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, seen: DecoderInput) -> Tensor:
        """What comes out at the wanted places."""
        x_MTD = self.embed(seen.tokens_MTD)
        is_hidden_MT = seen.wanted_MT & ~seen.seen_MT
        x_MTD = torch.where(is_hidden_MT[..., None], self.wanted_token.to(x_MTD.dtype), x_MTD)
        positions_TD = sine_positions(seen.shape, x_MTD.shape[2]).to(x_MTD)
        x_MTD = torch.cat([x_MTD[:, : -len(positions_TD)], x_MTD[:, -len(positions_TD) :] + positions_TD], 1)
        kept = KeptTokens.of(seen.seen_MT | seen.wanted_MT)
        if not kept.are_all:
            x_MTD = kept.take(x_MTD)
        padding_MK = None if kept.real_NK is None else ~kept.real_NK
        for layer in self.layers:
            x_MTD = layer(x_MTD, src_key_padding_mask=padding_MK)
        wanted_MK = seen.wanted_MT.gather(1, kept.places_NK)
        if kept.real_NK is not None:
            wanted_MK &= kept.real_NK
        made: Tensor = self.out(self.norm(x_MTD[wanted_MK]))
        return made
