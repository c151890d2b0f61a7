"""Models that are only looked at: ``coview recipe check --build`` makes them on the meta device, without numbers."""

from __future__ import annotations

import torch


def on_meta_device() -> bool:
    """Whether new tensors are made on the meta device: an encoder then needs no trained weights, and no download."""
    return torch.empty(0).device.type == "meta"
