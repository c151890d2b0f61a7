"""Layers that see only what is real: a padded sound comes out as it would alone.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def frame_mask(lengths_N: Tensor, frames: int) -> Tensor | None:
    """``mask_NT``, True where a frame is real; None where all of them are."""
    mask_NT = torch.arange(frames, device=lengths_N.device) < lengths_N[:, None]
    return None if not mask_NT.is_meta and bool(mask_NT.all()) else mask_NT


def masked(x_NCFT: Tensor, mask_NT: Tensor | None) -> Tensor:
    """Zero where nothing is real, which is what a convolution sees beyond the end of a sound."""
    return x_NCFT if mask_NT is None else x_NCFT.masked_fill(~mask_NT[:, None, None], 0)


def standardised(mel_NFT: Tensor, lengths_N: Tensor, mean: float, std: float) -> Tensor:
    """Log-mel as a picture of one channel, ``(mel - mean) / std``, and zero where nothing is real."""
    x_N1FT = ((mel_NFT - mean) / std)[:, None]
    return masked(x_N1FT, frame_mask(lengths_N, x_N1FT.shape[-1]))


def masked_mean(x_NTD: Tensor, mask_NT: Tensor | None) -> Tensor:
    """Over what is real."""
    if mask_NT is None:
        return x_NTD.mean(dim=1)
    weight_NT1 = mask_NT[..., None].to(x_NTD.dtype)
    # NaN · 0 is NaN: what is not real may be anything
    return x_NTD.masked_fill(~mask_NT[..., None], 0).sum(dim=1) / weight_NT1.sum(dim=1)


def masked_max(x_NTD: Tensor, mask_NT: Tensor | None) -> Tensor:
    """Over what is real."""
    if mask_NT is not None:
        x_NTD = x_NTD.masked_fill(~mask_NT[..., None], -torch.inf)
    return x_NTD.amax(dim=1)


class MaskedBatchNorm(nn.Module):
    """Batch norm over real frames alone; what is not real comes out as zero.

    Args:
        channels: C of ``x_NCFT``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x_NCFT: Tensor, mask_NT: Tensor | None) -> Tensor:
        """Normalises ``(N, C, F, T)``."""
        if mask_NT is None:
            y_NCFT: Tensor = self.norm(x_NCFT.flatten(2)).view_as(x_NCFT)
            return y_NCFT
        if not self.training or mask_NT.is_meta:
            return masked(self.norm(x_NCFT.flatten(2)).view_as(x_NCFT), mask_NT)
        y_KCF: Tensor = self.norm(x_NCFT.permute(0, 3, 1, 2)[mask_NT])
        y_NTCF: Tensor = y_KCF.new_zeros(x_NCFT.permute(0, 3, 1, 2).shape)
        y_NTCF[mask_NT] = y_KCF
        return y_NTCF.permute(0, 2, 3, 1).contiguous()
