"""Pictures of tokens with what is hidden of them, and how well it was predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coview.experiment.masked_views.states import State

HIDDEN = (112, 124, 158)
"""A grey with some blue in it: no part of a grey picture looks so."""
_PADDING = (255, 255, 255)
_TINTS = {State.KEPT: (64, 128, 255), State.SWAPPED: (255, 64, 192)}
_GROUPS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0))
"""Of groups of tokens, told apart by everybody (Okabe and Ito)."""
_COLD, _WARM = np.array((32, 32, 64)), np.array((255, 225, 96))


def whole(pixels_HW3: np.ndarray, token_HW: np.ndarray, states_T: np.ndarray) -> np.ndarray:
    """The view, without padding."""
    made: np.ndarray = _coloured(pixels_HW3, token_HW, states_T == State.PADDING, _PADDING, 1.0)
    return made


def masked(pixels_HW3: np.ndarray, token_HW: np.ndarray, states_T: np.ndarray, wanted_BT: np.ndarray) -> np.ndarray:
    """What the encoder sees: hidden tokens have one colour, those that are kept or swapped are tinted.

    Groups of tokens that are predicted each by itself have a colour each; where they overlap, the mean of theirs.
    """
    made = whole(pixels_HW3, token_HW, states_T)
    made = _coloured(made, token_HW, states_T == State.HIDDEN, HIDDEN, 1.0)
    for state, tint in _TINTS.items():
        made = _coloured(made, token_HW, states_T == state, tint, 0.35)
    if len(wanted_BT) > 1:
        counts_T = wanted_BT.sum(0)
        colours_B3 = np.array([_GROUPS[group % len(_GROUPS)] for group in range(len(wanted_BT))], dtype=np.float64)
        mean_T3 = wanted_BT.T.astype(np.float64) @ colours_B3 / np.maximum(counts_T, 1)[:, None]
        made = _coloured(made, token_HW, counts_T > 0, mean_T3, 0.6)
    return made


def predicted(pixels_HW3: np.ndarray, token_HW: np.ndarray, states_T: np.ndarray, wanted_BT: np.ndarray) -> np.ndarray:
    """Tokens with their predicted values; hidden ones that nobody has asked for have the colour of hidden ones."""
    unknown_T = (states_T == State.HIDDEN) & ~wanted_BT.any(0)
    return _coloured(whole(pixels_HW3, token_HW, states_T), token_HW, unknown_T, HIDDEN, 1.0)


def heat(pixels_HW3: np.ndarray, token_HW: np.ndarray, states_T: np.ndarray, scores: Mapping[int, float]) -> np.ndarray:
    """Predicted tokens by their score, from dark to bright; the rest is the view, pale."""
    pale = _coloured(whole(pixels_HW3, token_HW, states_T), token_HW, states_T != State.PADDING, (255, 255, 255), 0.6)
    is_scored_T = np.zeros(len(states_T), dtype=bool)
    colours_T3 = np.zeros((len(states_T), 3))
    for token, score in scores.items():
        is_scored_T[token] = True
        colours_T3[token] = heat_colour(score)
    return _coloured(pale, token_HW, is_scored_T, colours_T3, 1.0)


def heat_colour(score: float) -> np.ndarray:
    """``(3,)`` from 0 to 255 of a score from 0 to 1."""
    colour: np.ndarray = _COLD + (_WARM - _COLD) * score
    return colour


def _coloured(
    pixels_HW3: np.ndarray, token_HW: np.ndarray, which_T: np.ndarray, colour: object, share: float
) -> np.ndarray:
    """The pixels of some tokens mixed with a colour, or with one for each token."""
    made = pixels_HW3.astype(np.float64)
    is_of_HW = (token_HW >= 0) & which_T[np.maximum(token_HW, 0)]
    colours = np.broadcast_to(np.asarray(colour, dtype=np.float64), (len(which_T), 3))
    made[is_of_HW] = made[is_of_HW] * (1 - share) + colours[token_HW[is_of_HW]] * share
    return made.round().astype(np.uint8)
