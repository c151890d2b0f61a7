"""Pictures in rows and columns, for modalities that show views to a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MARGIN = 2


def picture_grid(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """One picture of many, on white with margins of two pixels.

    Args:
        rows: Pictures (height, width, 3), uint8, of any sizes; the rows may differ in length.

    Returns:
        (height, width, 3), uint8; the cells are as large as the largest picture.
    """
    height = max(picture.shape[0] for row in rows for picture in row) + _MARGIN
    width = max(picture.shape[1] for row in rows for picture in row) + _MARGIN
    grid = np.full((height * len(rows) + _MARGIN, width * max(map(len, rows)) + _MARGIN, 3), 255, dtype=np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * height + _MARGIN, j * width + _MARGIN
            grid[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return grid
