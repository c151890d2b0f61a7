"""Linear CKA: closed forms, invariances, and HSIC's unbiased estimate written out over an N × N matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import coview


def two(n: int = 40, d: int = 7, e: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = x[:, :2] @ torch.randn(2, e, generator=generator, dtype=torch.float64)
    return x + 3, y + torch.randn(n, e, generator=generator, dtype=torch.float64)


def hsic_of_song(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741 the paper's letters
    n, one = len(k), np.ones(len(k))
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    sums = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((np.trace(k @ l) + sums - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3)))


@pytest.mark.parametrize(("n", "d", "e"), [(40, 7, 5), (6, 30, 20)])
def test_debiased_is_the_unbiased_estimate_written_out(n: int, d: int, e: int) -> None:
    x, y = two(n, d, e)
    k, l = (x @ x.T).numpy(), (y @ y.T).numpy()  # noqa: E741
    expected = hsic_of_song(k, l) / math.sqrt(hsic_of_song(k, k) * hsic_of_song(l, l))
    assert coview.cka(x, y) == pytest.approx(expected)


def test_values_by_hand() -> None:
    x = torch.tensor([[1.0], [-1], [1], [-1]])
    y = torch.tensor([[1.0, 1], [-1, 1], [1, -1], [-1, -1]])
    # XᵀY = (4, 0), XᵀX = 4, YᵀY = 4 · identity, whose norm is √32
    assert coview.cka(x, y, debiased=False) == pytest.approx(16 / (4 * math.sqrt(32)))
    assert coview.cka(x, y[:, 1:], debiased=False) == pytest.approx(0)


@pytest.mark.parametrize("debiased", [True, False])
def test_neither_rotation_scale_nor_shift_changes_it(debiased: bool) -> None:
    x, y = two()
    turn = torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    expected = coview.cka(x, y, debiased=debiased)
    assert coview.cka(5 * x @ turn - 2, y, debiased=debiased) == pytest.approx(expected)
    assert coview.cka(y, x, debiased=debiased) == pytest.approx(expected)
    assert coview.cka(x, x @ turn, debiased=debiased) == pytest.approx(1)
    assert 0.1 < expected < 0.9


def test_unrelated_and_wide_is_zero_when_debiased_and_near_one_when_not() -> None:
    values = []
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        x, y = torch.randn(2, 20, 400, generator=generator)
        values.append((coview.cka(x, y), coview.cka(x, y, debiased=False)))
    debiased, plain = np.mean(values, axis=0)
    assert abs(debiased) < 0.02
    assert plain > 0.9


def test_what_cannot_be_compared_is_refused() -> None:
    x, y = two()
    with pytest.raises(ValueError, match=r"got \(40, 7\) and \(39, 5\)"):
        coview.cka(x, y[:-1])
    with pytest.raises(ValueError, match="same 4 samples or more"):
        coview.cka(x[:3], y[:3])
    with pytest.raises(ValueError, match="not defined"):
        coview.cka(torch.ones(9, 3), torch.randn(9, 3))
