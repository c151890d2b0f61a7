"""The head of one layer, against its formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from coview.builtin.linear_tanh import LinearTanh


@pytest.mark.parametrize("layer_norm", [False, True])
def test_it_is_a_linear_map_and_a_tanh(layer_norm):
    torch.manual_seed(0)
    head = LinearTanh(5, width=7, layer_norm=layer_norm)
    x = torch.randn(4, 5)
    z = x.numpy() @ head.linear.weight.detach().numpy().T + head.linear.bias.detach().numpy()
    if layer_norm:
        z = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(head(x).detach().numpy(), np.tanh(z), atol=1e-6)
    assert head.width == 7
    assert sum(p.numel() for p in head.parameters()) == 6 * 7 + 14 * layer_norm
