"""The vision transformers of timm, on tokens of which some can be hidden: the one place that knows of their insides.

``tests/model/test_patch_encoding.py`` notices when these change: what comes out without a mask is what timm makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coview.data.token_mask import TokenLayout, TokenMask
from coview.model.encoder import Encoding
from coview.model.kept_tokens import KeptTokens


@dataclass(frozen=True)
class Patches:
    """A vision transformer of timm as an encoder of patches.  H and W: the picture's; P: numbers of a patch.

    Attributes:
        model: timm's ``VisionTransformer``, without a classifier.
        patch: Height and width of a patch.
        channels: Of the pictures.
        mean: Whether a picture's vector is the mean over its patches, and not what timm makes of its tokens.
    """

    model: Any
    patch: tuple[int, int]
    channels: int
    mean: bool = False

    @property
    def value_width(self) -> int:
        """Numbers that a patch is made of."""
        return self.patch[0] * self.patch[1] * self.channels

    @property
    def prefix(self) -> int:
        """Tokens before those of patches: the class token and registers."""
        return int(self.model.num_prefix_tokens)

    def layout(self, height: int, width: int, real_NT: Tensor) -> TokenLayout:
        """How the tokens of a batch lie.

        Args:
            height, width: Of its pictures.
            real_NT: Which patches are more than padding, row by row.
        """
        before_NP = real_NT.new_ones((len(real_NT), self.prefix))
        grid: tuple[int, ...] = (height // self.patch[0], width // self.patch[1])
        grid = grid[1:] if grid[0] == 1 else grid  # patches of all bands lie in a row
        return TokenLayout(torch.cat([before_NP, real_NT], 1), torch.cat([~before_NP, real_NT], 1), grid)

    def values(self, x_NCHW: Tensor) -> Tensor:
        """``(N, T, P)``: the pixels of each patch, row by row, the channels of a pixel together; zero before them."""
        N, C, H, W = x_NCHW.shape
        h, w = self.patch
        x_NCHhWw = x_NCHW[:, :, : H // h * h, : W // w * w].unflatten(3, (-1, w)).unflatten(2, (-1, h))
        values_NTP = x_NCHhWw.permute(0, 2, 4, 3, 5, 1).reshape(N, (H // h) * (W // w), h * w * C)
        return torch.cat([values_NTP.new_zeros((N, self.prefix, values_NTP.shape[2])), values_NTP], 1)

    def unpatched(self, values_NTP: Tensor, layout: TokenLayout) -> Tensor:
        """``(N, C, H, W)``: the pictures whose patches have these values, as :meth:`values` gives them."""
        (h, w), (rows, columns) = self.patch, self._grid(layout)
        x_NRLhwC = values_NTP[:, self.prefix :].unflatten(2, (h, w, self.channels)).unflatten(1, (rows, columns))
        x_NCHW: Tensor = x_NRLhwC.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)
        return x_NCHW

    def patch_of_pixels(self, layout: TokenLayout) -> Tensor:
        """``(H, W)`` int64: the token that each pixel of :meth:`unpatched` pictures is of."""
        (h, w), (rows, columns) = self.patch, self._grid(layout)
        tokens = torch.arange(self.prefix, self.prefix + rows * columns).view(rows, columns)
        return tokens.repeat_interleave(h, dim=0).repeat_interleave(w, dim=1)

    def _grid(self, layout: TokenLayout) -> tuple[int, int]:
        """Rows and columns; patches of all bands lie in one row."""
        return (1, layout.shape[0]) if len(layout.shape) == 1 else (layout.shape[0], layout.shape[1])

    def encode(
        self,
        x_NCHW: Tensor,
        mask: TokenMask | None = None,
        *,
        real_NT: Tensor | None = None,
        positions_TD: Tensor | None = None,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> Encoding:
        """Encodes a batch: each patch, then all of them without those that are dropped or padding.

        Args:
            x_NCHW: The batch.
            mask: What is hidden; None: nothing.
            real_NT: Which tokens are more than padding, those before the patches among them; absent: all.
            positions_TD: Added to the patches, for a model that has no positions itself.
            mask_token_D: The learnt token.
            layers: How many of the last layers are asked for.
        """
        model = self.model
        x_NTD = model.patch_embed(x_NCHW)
        grid = x_NTD.shape[1:-1]  # in a model of pictures of any size timm leaves rows and columns apart
        x_NTD = x_NTD.flatten(1, -2)
        if mask is not None and mask.hide == "replace" and mask_token_D is not None:
            replaced_NT1 = mask.replaced_NT[:, self.prefix :, None]
            x_NTD = torch.where(replaced_NT1, mask_token_D.to(x_NTD.dtype), x_NTD)
        if positions_TD is not None:
            x_NTD = x_NTD + positions_TD.to(x_NTD)
        x_NTD = model._pos_embed(x_NTD.unflatten(1, grid))
        kept = None
        seen_NT = mask.seen_NT if mask is not None and mask.hide == "drop" else real_NT
        if seen_NT is not None:
            kept = KeptTokens.of(seen_NT)
            kept = None if kept.are_all else kept
        x_NKD = model.norm_pre(x_NTD if kept is None else kept.take(x_NTD))
        bias_N11K = None if kept is None else kept.bias(x_NKD.dtype)
        made: list[Tensor] = []
        first = len(model.blocks) - layers
        for number, block in enumerate(model.blocks):
            x_NKD = block(x_NKD) if bias_N11K is None else block(x_NKD, attn_mask=bias_N11K)
            if number >= first:
                made.append(x_NKD if kept is None else kept.put_back(x_NKD))
        x_NKD = model.norm(x_NKD)
        return Encoding(
            pooled_ND=self._pooled(x_NKD, None if kept is None else kept.real_NK),
            tokens_NTD=x_NKD if kept is None else kept.put_back(x_NKD),
            mask_NT=real_NT,
            layers_LNTD=tuple(made),
        )

    def _pooled(self, x_NKD: Tensor, real_NK: Tensor | None) -> Tensor:
        """What timm makes of the tokens, or the mean over patches; padding counts nothing."""
        model, first = self.model, self.prefix
        if not self.mean and model.global_pool == "token":
            return self._head(x_NKD[:, 0])
        if self.mean or (model.global_pool == "avg" and not model.pool_include_prefix):
            if real_NK is None:
                return self._head(x_NKD[:, first:].mean(1))
            weight_NK1 = real_NK[:, first:, None].to(x_NKD.dtype)
            # a row of which no patch is seen has the mean of none, which is zero
            return self._head((x_NKD[:, first:] * weight_NK1).sum(1) / weight_NK1.sum(1).clamp(min=1))
        pooled_ND: Tensor = model.forward_head(x_NKD, pre_logits=True)
        return pooled_ND

    def _head(self, pooled_ND: Tensor) -> Tensor:
        normed_ND: Tensor = self.model.fc_norm(pooled_ND)
        return normed_ND
