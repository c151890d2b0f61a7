"""Which device a run computes on, in which precision, and in which memory layout."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from coview.data.threads import limit_threads
from coview.errors import CoviewError
from coview.recipe.recipe import Recipe

Precision = Literal["fp32", "bf16", "fp16"]

_SAFE_CHANNELS = 8


def choose_device(recipe: Recipe) -> torch.device:
    """The device of ``train.device``. What is computed on the CPU takes no more threads than there are cores for it.

    Raises:
        CoviewError: If it is not there.
    """
    limit_threads()
    wanted = recipe.train.device
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if not available[wanted]:
        there = " and ".join(name for name, yes in available.items() if yes)
        raise CoviewError(
            f"{recipe.where('train', 'device')}: no {wanted} device here; there is {there}",
            hint="coview doctor shows what torch sees",
        )
    return torch.device(wanted)


def choose_precision(recipe: Recipe, device: torch.device) -> Precision:
    """The precision of ``train.precision``.

    Raises:
        CoviewError: If the device does not compute in it.
    """
    wanted = recipe.train.precision
    if wanted == "auto":
        return _best_precision(device)
    if wanted == "fp16" and device.type == "cpu":
        raise CoviewError(
            f"{recipe.where('train', 'precision')}: fp16 is not supported on the CPU; take bf16 or fp32", hint=None
        )
    if wanted == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise CoviewError(f"{recipe.where('train', 'precision')}: this GPU does not support bf16; take fp16 or fp32")
    return wanted


def _best_precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def cpu_has_bf16() -> bool:
    """Whether the CPU has instructions for bf16 products; without them bf16 is slower than fp32."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


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
