"""Layers that see only what is real: a padded sound comes out as it would alone.

Nothing here may import coview: an exported encoder carries this file with it (``hub_audio.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def may_look(tensor: Tensor) -> bool:
    """Whether a value of a tensor can be had without waiting for a device, or from the meta device."""
    return tensor.device.type == "cpu"


def frame_mask(lengths_N: Tensor | None, frames: int) -> Tensor | None:
    """``mask_NT``, True where a frame is real; None where all of them are.

    Args:
        lengths_N: How many frames of each sound are real; None where it is known that all are.
        frames: T.
    """
    if lengths_N is None:
        return None
    mask_NT = torch.arange(frames, device=lengths_N.device) < lengths_N[:, None]
    return None if may_look(mask_NT) and bool(mask_NT.all()) else mask_NT


def halved(lengths_N: Tensor | None) -> Tensor | None:
    """What is real behind a layer of stride 2."""
    return None if lengths_N is None else (lengths_N + 1) // 2


def masked(x_NCFT: Tensor, mask_NT: Tensor | None) -> Tensor:
    """Zero where nothing is real, which is what a convolution sees beyond the end of a sound."""
    # not masked_fill, which lays what comes out, and its gradient, in another order in memory
    return x_NCFT if mask_NT is None else torch.where(mask_NT[:, None, None], x_NCFT, 0)


def standardised(mel_NFT: Tensor, lengths_N: Tensor | None, mean: float, std: float) -> Tensor:
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
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x_NCFT: Tensor, mask_NT: Tensor | None) -> Tensor:
        """Normalises ``(N, C, F, T)``; what comes out lies in memory as what went in."""
        trains = self.norm.training  # which may be frozen by itself
        plain = trains and type(self.norm) is nn.BatchNorm2d and self.norm.momentum is not None
        if mask_NT is None:
            in_rows = plain and x_NCFT.device.type == "cpu" and x_NCFT.is_contiguous(memory_format=torch.channels_last)
            y_NCFT: Tensor = self._of_rows(x_NCFT, None, plain=True) if in_rows else self.norm(x_NCFT)
            return y_NCFT
        if not trains or mask_NT.is_meta:
            return masked(self.norm(x_NCFT), mask_NT)
        if plain and not may_look(mask_NT):
            return self._weighted(x_NCFT, mask_NT[:, None, None])
        return self._of_rows(x_NCFT, mask_NT, plain=plain)

    def _of_rows(self, x_NCFT: Tensor, mask_NT: Tensor | None, *, plain: bool) -> Tensor:
        """Of the rows of real frames alone.  K row of channels, at one place of a real frame"""
        x_NFTC = x_NCFT.permute(0, 2, 3, 1)
        all_XC = x_NFTC.reshape(-1, x_NFTC.shape[-1])
        if mask_NT is None:
            y_XC = self._normed(all_XC, plain=plain)
        else:
            # not x[mask]: its backward pass adds up, which takes several times as long
            real_K = mask_NT[:, None].expand(x_NFTC.shape[:3]).flatten().nonzero().flatten()
            y_KC = self._normed(all_XC.index_select(0, real_K), plain=plain)
            y_XC = y_KC.new_zeros(all_XC.shape).index_copy_(0, real_K, y_KC)
        y_NCFT = y_XC.view(x_NFTC.shape).permute(0, 3, 1, 2)
        return y_NCFT if y_NCFT.stride() == x_NCFT.stride() else torch.empty_like(x_NCFT).copy_(y_NCFT)

    def _normed(self, x_KC: Tensor, *, plain: bool) -> Tensor:
        """PyTorch's own batch norm of rows adds up one after another, and loses a digit or two of 100,000 of them."""
        norm = self.norm
        y_KC: Tensor
        if not plain:
            y_KC = norm(x_KC[..., None, None]).flatten(1)
            return y_KC
        y_KC, mean_C, variance_C = _NormedRows.apply(x_KC, norm.weight, norm.bias, norm.eps)
        self._note(mean_C, variance_C, len(x_KC))
        return y_KC.to(x_KC.dtype)

    @torch.no_grad()
    def _note(self, mean_C: Tensor, variance_C: Tensor, count: Tensor | int) -> None:
        """Brings the running statistics up to date."""
        norm = self.norm
        assert norm.momentum is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        rest = (count - 1).clamp(min=1) if isinstance(count, Tensor) else max(count - 1, 1)
        norm.running_mean.lerp_(mean_C, norm.momentum)
        norm.running_var.lerp_(variance_C * count / rest, norm.momentum)
        norm.num_batches_tracked.add_(1)

    def _weighted(self, x_NCFT: Tensor, mask_N11T: Tensor) -> Tensor:
        """The same by sums over all frames, of which others count 0: how many are real need not be known."""
        dtype, norm = x_NCFT.dtype, self.norm
        x_NCFT = x_NCFT.to(torch.promote_types(dtype, torch.float32)).masked_fill(~mask_N11T, 0)
        count = mask_N11T.sum() * x_NCFT.shape[2]
        mean_C11 = x_NCFT.sum((0, 2, 3))[:, None, None] / count
        centred_NCFT = (x_NCFT - mean_C11).masked_fill(~mask_N11T, 0)
        variance_C = centred_NCFT.square().sum((0, 2, 3)) / count
        self._note(mean_C11.flatten(), variance_C, count)
        scale_C11 = ((variance_C + norm.eps).rsqrt() * norm.weight)[:, None, None]
        y_NCFT = centred_NCFT * scale_C11 + norm.bias[:, None, None]
        return masked(y_NCFT.to(dtype), mask_N11T[:, 0, 0])


class _NormedRows(torch.autograd.Function):
    """Batch norm of rows, in as many passes as PyTorch's takes, and by sums that are added up in parts."""

    @staticmethod
    def forward(ctx: Any, x_KC: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        x_KC = x_KC.to(torch.promote_types(x_KC.dtype, torch.float32))
        mean_C = x_KC.sum(0) / len(x_KC)
        centred_KC = x_KC - mean_C
        variance_C = centred_KC.square().sum(0) / len(x_KC)
        inverse_C = (variance_C + eps).rsqrt()
        ctx.save_for_backward(centred_KC, inverse_C, weight_C)
        ctx.mark_non_differentiable(mean_C, variance_C)
        return torch.addcmul(bias_C, centred_KC, inverse_C * weight_C), mean_C, variance_C

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_KC: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        centred_KC, inverse_C, weight_C = ctx.saved_tensors
        count = len(centred_KC)
        bias_C = grad_KC.sum(0)
        gain_C = (grad_KC * centred_KC).sum(0) * inverse_C
        scale_C = inverse_C * weight_C
        x_KC = torch.addcmul(bias_C * scale_C / -count, grad_KC, scale_C)
        return x_KC.addcmul_(centred_KC, scale_C * inverse_C * gain_C / -count), gain_C, bias_C, None
