"""A vision transformer on patches of log-mel.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from .masked import masked_mean, may_look


class MelViTNetwork(nn.Module):
    """From standardised log-mel to one vector for each patch, and one for the sound.

    Args:
        width: Of the tokens.
        layers, heads: Of the transformer.
        patch: Bands and frames of a patch.
        mel_bins: Bands of the log-mel spectrogram, a multiple of those of a patch.
        frames: The most that a sound may have.
        pool: "mean" of the patches that are real, or "cls".
        drop_path: Largest probability of leaving out a layer in training.
    """

    positions_HWD: Tensor

    def __init__(
        self,
        *,
        width: int,
        layers: int,
        heads: int,
        patch: tuple[int, int] | list[int],
        mel_bins: int,
        frames: int,
        pool: Literal["mean", "cls"] = "mean",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.pool = width, pool
        self.patch = (patch[0], patch[1])
        self.model: Any = VisionTransformer(
            img_size=(mel_bins, -(-frames // patch[1]) * patch[1]),
            patch_size=self.patch,
            in_chans=1,
            num_classes=0,
            global_pool="token",
            embed_dim=width,
            depth=layers,
            num_heads=heads,
            drop_path_rate=drop_path,
            pos_embed="none",
            dynamic_img_size=True,  # a batch is as long as its longest sound
        )
        # fixed, of the longest sound: what a shorter one has is cut off
        rows, columns = mel_bins // patch[0], -(-frames // patch[1])
        self.rows, self.most_columns = rows, columns
        self.register_buffer("positions_HWD", torch.zeros(rows, columns, width))

    def columns(self, frames: int) -> int:
        """How many patches lie beside each other in so many frames, the last of which may be part padding.

        Raises:
            ValueError: If they are more than those of the longest sound.
        """
        columns = -(-frames // self.patch[1])
        if columns > self.most_columns:
            most = self.most_columns * self.patch[1]
            raise ValueError(f"{frames:,} frames are more than the {most:,} that there are positions for")
        return columns

    def whole_patches(self, x_N1FT: Tensor) -> Tensor:
        """The batch with zeros behind it, up to a multiple of a patch."""
        return functional.pad(x_N1FT, (0, -x_N1FT.shape[3] % self.patch[1]))

    def positions(self, columns: int) -> Tensor:
        """``(T, D)`` of the patches of a batch, row by row."""
        return self.positions_HWD[:, :columns].flatten(0, 1)

    def real_patches(self, columns: int, lengths_N: Tensor) -> Tensor:
        """``(N, T)``, True where a patch has a real frame in it, row by row."""
        real_NW = torch.arange(columns, device=lengths_N.device) * self.patch[1] < lengths_N[:, None]
        return real_NW[:, None].expand(-1, self.rows, -1).flatten(1)

    def encode(self, x_N1FT: Tensor, lengths_N: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Pooled features (N, D), those of the class token and of each patch (N, T, D), and which of these are real."""
        columns = self.columns(x_N1FT.shape[3])
        known = lengths_N is None
        if lengths_N is None:
            lengths_N = torch.full((len(x_N1FT),), x_N1FT.shape[3], device=x_N1FT.device)
        patches_NT = self.real_patches(columns, lengths_N)
        real_NT = torch.cat([patches_NT.new_ones((len(patches_NT), 1)), patches_NT], 1)
        x_NTD = self.model.patch_embed(self.whole_patches(x_N1FT)).flatten(1, 2) + self.positions(columns)
        x_NTD = torch.cat([self.model.cls_token.expand(len(x_NTD), -1, -1), x_NTD], 1)
        bias_N11T = None
        if not known and not (may_look(real_NT) and bool(real_NT.all())):
            bias_NT = torch.zeros(real_NT.shape, dtype=x_NTD.dtype, device=x_NTD.device)
            bias_N11T = bias_NT.masked_fill(~real_NT, -torch.inf)[:, None, None]
        for block in self.model.blocks:
            x_NTD = block(x_NTD) if bias_N11T is None else block(x_NTD, attn_mask=bias_N11T)
        x_NTD = self.model.norm(x_NTD)
        pooled_ND = x_NTD[:, 0] if self.pool == "cls" else masked_mean(x_NTD[:, 1:], patches_NT)
        return pooled_ND, x_NTD, real_NT
