"""Which layer each parameter of a timm model is in, by the matcher that timm decays learning rates with."""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters


def timm_layer_numbers(model: Any, prefix: str) -> dict[str, int]:
    """The number of the layer of each parameter.

    Args:
        model: A model of timm.
        prefix: What the encoder calls it.
    """
    numbers = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    return {f"{prefix}.{name}": number for name, number in numbers.items()}
