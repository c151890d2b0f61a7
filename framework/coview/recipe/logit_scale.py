"""The scale and the bias that a pretrained model of several modalities came with.

It is here, and not with the encoders, because the check of a recipe passes one to losses before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogitScale:
    """How a pretrained model of several modalities turns a cosine s into a logit: scale · s + bias.

    Attributes:
        scale: Positive. CLIP's is at most 100.
        bias: 0 if the model has none.
    """

    scale: float
    bias: float = 0.0
