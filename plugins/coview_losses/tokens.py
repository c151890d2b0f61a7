"""What losses of hidden tokens have in common."""

from __future__ import annotations

import coview


def hidden_tokens(views: coview.Views, name: str) -> coview.HiddenTokens:
    """The tokens that a loss is of.

    Args:
        views: What the loss is given.
        name: The loss.

    Raises:
        ValueError: If nothing is hidden in them.
    """
    if views.tokens is None:
        raise ValueError(f"{name} is a loss of hidden tokens, and these views have none: tokens is None")
    return views.tokens
