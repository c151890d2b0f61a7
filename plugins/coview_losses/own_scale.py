"""The scale and the bias that pretrained encoders came with."""

from __future__ import annotations

import coview


def came_with(key: str, own_scale: coview.LogitScale | None) -> coview.LogitScale:
    """What the encoders came with.

    Args:
        key: The parameter of the loss that is "own".
        own_scale: What coview has found.

    Raises:
        ValueError: If coview has found nothing.
    """
    if own_scale is None:
        raise ValueError(
            f'{key} = "own": the encoders of this loss came with no scale, or with different scales; give a number'
        )
    return own_scale
