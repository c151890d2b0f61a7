"""A digest of weights: the same for the same names, types, shapes and numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def weights_digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Twelve hex digits of tensors with their names, in their order."""
    digest = hashlib.blake2b(digest_size=6)
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
