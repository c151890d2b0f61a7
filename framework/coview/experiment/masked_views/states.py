"""What a mask does to each token of one view, and how much that is."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from coview.data.token_mask import TokenMask


class State(IntEnum):
    """Of a token."""

    SEEN = 0
    HIDDEN = 1
    KEPT = 2  # to be predicted, and seen as it is
    SWAPPED = 3
    PADDING = 4


def states_of(mask: TokenMask) -> np.ndarray:
    """``(T,)`` of the first row of a mask."""
    real_T, hidden_T = (of[0].cpu().numpy() for of in (mask.layout.real_NT, mask.hidden_NT))
    states_T = np.full(len(real_T), State.SEEN, dtype=np.int64)
    states_T[~real_T] = State.PADDING
    states_T[hidden_T] = State.HIDDEN
    if mask.hide == "replace":
        states_T[hidden_T & ~mask.replaced_NT[0].cpu().numpy()] = State.KEPT
        if mask.swap_NT is not None:
            states_T[mask.swap_NT[0].cpu().numpy() >= 0] = State.SWAPPED
    return states_T


def said_of(mask: TokenMask) -> str:
    """How much is hidden, in words."""
    states_T = states_of(mask)
    tokens = int(mask.layout.maskable_NT[0].sum())
    hidden = int(mask.hidden_NT[0].sum())
    if not hidden:
        return f"nothing of {tokens} tokens is hidden"
    said = f"{hidden} of {tokens} tokens are hidden ({hidden / tokens:.0%})"
    parts = {State.KEPT: "as they are", State.SWAPPED: "swapped"}
    shown = [f"{count} {words}" for state, words in parts.items() if (count := int((states_T == state).sum()))]
    said += f", of which the encoder sees {' and '.join(shown)}" if shown else ""
    groups = mask.wanted_NBT[0].sum(1).tolist()
    if len(groups) > 1:
        said += f"; predicted are {len(groups)} groups of {', '.join(map(str, groups))} tokens, each by itself"
    elif groups[0] != hidden:
        said += f"; predicted are {groups[0]} of them"
    return said
