"""What all that works on pixels shares: OpenCV, and numbers on whatever device the pixels are.

OpenCV is on one thread: loader processes are the parallelism, and threads in each would fight for cores.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

cv2.setNumThreads(0)

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, which OpenCV, Pillow and Albumentations use as well."""

LARGEST_SIDE = 8192
"""Pixels that a recipe may have pictures brought to: a batch of larger ones is beyond any memory already."""


@cache
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """float32 on the device; kept there for good, since bringing it to a GPU makes it wait."""
    return torch.tensor(values, device=device)


def spread_of_channels(picture: np.ndarray) -> np.ndarray:
    """Of each place the largest channel less the smallest, from 0 to 1: 0 everywhere in a grey picture."""
    if picture.ndim == 2 or picture.shape[2] == 1:
        return np.zeros(picture.shape[:2], dtype=np.float32)
    spread: np.ndarray = picture.max(axis=2).astype(np.float32) - picture.min(axis=2)
    return spread / np.float32(255) if picture.dtype == np.uint8 else spread
