"""What the vision transformers of timm have in common: patches that can be hidden."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import coview


class EncodesPatches:
    """The part of an encoder that makes it a :class:`coview.TakesMask`, where its model is a vision transformer."""

    hides: Collection[Literal["replace", "drop", "swap"]] = ()
    token_width = 0
    mask_width = 0
    value_width = 0
    classes = 0
    patches: coview.Patches

    def use_patches(self, model: Any) -> None:
        """Takes a model of timm for one of patches, if it is one and nothing more.

        A convolutional stem would see what is hidden beside a patch, and a distilled model pools otherwise.
        """
        if type(model) is not VisionTransformer or type(model.patch_embed) is not PatchEmbed:
            return
        channels, (height, width) = model.patch_embed.proj.in_channels, model.patch_embed.patch_size
        self.patches = coview.Patches(model, (height, width), channels)
        self.hides = ("replace", "drop")
        self.token_width = self.mask_width = int(model.embed_dim)
        self.value_width = self.patches.value_width

    def check_size(self, x_NCHW: Tensor) -> None:
        """Refuses pictures that the model does not take; any by default."""

    def token_layout(self, batch: Tensor, /) -> coview.TokenLayout:
        """Class token and registers, which cannot be hidden, then patches row by row."""
        height, width = batch.shape[2:]
        patches = (height // self.patches.patch[0]) * (width // self.patches.patch[1])
        real_NT = torch.ones(len(batch), patches, dtype=torch.bool, device=batch.device)
        return self.patches.layout(height, width, real_NT)

    def token_values(self, batch: Tensor, /) -> Tensor:
        """The pixels of each patch."""
        return self.patches.values(batch)

    def encode_tokens(
        self,
        batch: Tensor,
        mask: coview.TokenMask | None,
        /,
        *,
        mask_token_D: Tensor | None = None,
        layers: int = 0,
    ) -> coview.Encoding:
        """Pooled features (N, D), and those of all tokens (N, T, D)."""
        self.check_size(batch)
        return self.patches.encode(batch, mask, mask_token_D=mask_token_D, layers=layers)
