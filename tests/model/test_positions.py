import numpy as np
import pytest
import torch

from coview.model.positions import sine_positions


def of_one_dimension(width, positions):
    """MAE's ``get_1d_sincos_pos_embed_from_grid``, by its formula."""
    omega = 1.0 / 10000 ** (np.arange(width // 2, dtype=float) / (width / 2.0))
    angles = np.einsum("m,d->md", np.asarray(positions, dtype=float), omega)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def test_in_a_grid_the_first_half_says_the_column():
    expected = [
        np.concatenate([of_one_dimension(8, [column])[0], of_one_dimension(8, [row])[0]])
        for row in range(3)
        for column in range(5)
    ]
    assert torch.allclose(sine_positions((3, 5), 16), torch.tensor(np.stack(expected)).float(), atol=1e-6)


def test_in_a_row():
    assert torch.allclose(sine_positions((7,), 10), torch.tensor(of_one_dimension(10, range(7))).float(), atol=1e-6)


def test_a_width_that_does_not_come_out_even_is_refused():
    with pytest.raises(ValueError, match="a multiple of 4, got 10"):
        sine_positions((3, 5), 10)
