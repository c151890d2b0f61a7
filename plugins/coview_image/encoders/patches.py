"""What the vision transformers of timm have in common: patches that can be hidden."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import coview


class EncodesPatches:
    """The part of an encoder that makes it a :class:`coview.TakesMask`, where its model is a vision transformer; and a
    :class:`coview.DrawsTokens`."""

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

    def draw_tokens(self, values_STP: Tensor, layout: coview.TokenLayout, modality: Any, /) -> coview.TokenPictures:
        """The pictures that the patches make up."""
        x_SCHW = self.patches.unpatched(values_STP, layout)
        shown = modality.uncollate(x_SCHW) if isinstance(modality, coview.Uncollates) else _between_extremes(x_SCHW)
        pixels_SHWC = np.stack(list(shown))
        pixels_SHW3 = np.repeat(pixels_SHWC, 3, axis=3) if pixels_SHWC.shape[3] == 1 else pixels_SHWC
        return coview.TokenPictures(pixels_SHW3, self.patches.patch_of_pixels(layout).numpy())

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


def _between_extremes(x_SCHW: Tensor) -> np.ndarray:
    """Of pictures that nobody can say the normalisation of: black is the least of the first, white is the most."""
    low, high = x_SCHW[0].aminmax()
    unit_SCHW = ((x_SCHW - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    pixels: np.ndarray = (unit_SCHW * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return pixels
