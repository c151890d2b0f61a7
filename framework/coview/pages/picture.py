"""A picture that a page carries along."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_SHOWN_SIDE = 160


def picture_html(pixels_HW3: np.ndarray, said: str) -> str:
    """An ``<img>`` with the picture as PNG, a small one enlarged without smoothing.

    Args:
        pixels_HW3: uint8.
        said: What it is, for who cannot see it.
    """
    from PIL import Image  # of the extra "report"

    file = io.BytesIO()
    Image.fromarray(pixels_HW3).save(file, format="PNG")
    height, width = pixels_HW3.shape[:2]
    zoom = zoom_of(height, width)
    return (
        f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" width="{width * zoom}" '
        f'height="{height * zoom}" alt="{html.escape(said)}" style="image-rendering: pixelated">'
    )


def zoom_of(height: int, width: int) -> int:
    """How many times larger a picture of so many pixels is shown."""
    return max(1, _SHOWN_SIDE // max(height, width))
