"""Pictures of any sizes in one."""

import numpy as np

import coview


def test_every_picture_is_in_its_cell_and_the_rest_is_white():
    sizes = [[(2, 3), (4, 1)], [(1, 1)]]
    rows = [
        [np.full((*size, 3), 10 * i + j, dtype=np.uint8) for j, size in enumerate(row)] for i, row in enumerate(sizes)
    ]
    grid = coview.picture_grid(rows)
    assert (grid.shape, grid.dtype) == ((2 * 6 + 2, 2 * 5 + 2, 3), np.uint8)
    expected = np.full(grid.shape, 255)
    expected[2:4, 2:5] = 0
    expected[2:6, 7:8] = 1
    expected[8:9, 2:3] = 10
    assert np.array_equal(grid, expected)
