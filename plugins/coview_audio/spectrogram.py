"""Log-mel as a picture."""

from __future__ import annotations

import numpy as np

_COLOURS = np.array(
    [(0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99),
     (212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164)]
)  # fmt: skip
_DECADES = 8.0


def coloured(mel_FT: np.ndarray, loudest: float) -> np.ndarray:
    """``(F, T, 3)`` uint8: low tones below, loudness by colour over eight decades of power.

    Args:
        mel_FT: Natural logarithms of power, the lowest band first; may have more dimensions before.
        loudest: What has the brightest colour.
    """
    decades = (mel_FT[..., ::-1, :] - loudest) / np.log(10)
    place = (1 + decades / _DECADES).clip(0, 1) * (len(_COLOURS) - 1)
    lower = np.minimum(place.astype(int), len(_COLOURS) - 2)
    share = (place - lower)[..., None]
    colours = _COLOURS[lower] * (1 - share) + _COLOURS[lower + 1] * share
    return np.ascontiguousarray(colours.round().astype(np.uint8))
