"""In what memory layout pictures and convolutions are trained."""

from __future__ import annotations

import torch
from torch import nn

_SAFE_CHANNELS = 8


def trains_channels_last(model: nn.Module, device: torch.device, *, asked: bool) -> bool:
    """Whether a model is trained in the channels-last layout that its recipe asks for.

    On CPUs without AVX-512, oneDNN (seen with torch 2.14.1) writes beyond its buffers in the backward pass of a 1×1
    convolution with a stride and fewer than 8 input channels a group, in this layout only; the process dies of it, or
    goes on with wrong numbers. A model that has such a convolution is trained in the contiguous layout on any CPU.
    """
    return asked and (device.type != "cpu" or not any(map(_is_unsafe, model.modules())))


def _is_unsafe(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels // module.groups < _SAFE_CHANNELS
    )
