from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression as Peer

from coview.builtin.evaluators import logistic
from coview.builtin.evaluators.logistic import LogisticRegression, Weights


def problem(samples: int, width: int, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlated features whose variances span four orders of magnitude, and classes that overlap."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator) * torch.logspace(0, -2, width)
    x = torch.randn(samples, width, generator=generator) @ mixing.T
    logits = x @ torch.randn(width, classes, generator=generator) + torch.randn(samples, classes, generator=generator)
    x = (x - x.mean(0)) / x.std(0, correction=0)
    return x, logits.argmax(1)


def objective(x: torch.Tensor, y: torch.Tensor, w_DC: torch.Tensor, b_C: torch.Tensor, l2: float) -> float:
    loss = torch.nn.functional.cross_entropy(x.double() @ w_DC.double() + b_C.double(), y)
    return float(loss + l2 / 2 * w_DC.double().square().sum())


def minimum(x: torch.Tensor, y: torch.Tensor, l2: float) -> float:
    peer = Peer(C=1 / (l2 * len(x)), max_iter=20_000, tol=1e-7).fit(x.double().numpy(), y.numpy())
    return objective(x, y, torch.from_numpy(peer.coef_.T), torch.from_numpy(peer.intercept_), l2)


@pytest.mark.parametrize(("samples", "width"), [(600, 30), (40, 100)])
@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4, 1e-6])
def test_reaches_scikit_learns_minimum(samples: int, width: int, l2: float) -> None:
    x, y = problem(samples, width)
    cold = LogisticRegression(x, y, 4).fit(l2)
    assert objective(x, y, cold.w_DC, cold.b_C, l2) <= minimum(x, y, l2) * 1.001


def test_reaches_it_without_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "ROTATED_UP_TO", 10)
    x, y = problem(300, 20)
    fit = LogisticRegression(x, y, 4)
    assert fit.turned_RD is fit.axes_RR is None
    found = fit.fit(1e-3)
    assert objective(x, y, found.w_DC, found.b_C, 1e-3) <= minimum(x, y, 1e-3) * 1.001


@pytest.mark.parametrize(("samples", "width"), [(600, 30), (40, 100)])
def test_a_warm_start_changes_nothing_else(samples: int, width: int) -> None:
    x, y = problem(samples, width)
    fit = LogisticRegression(x, y, 4)
    warm = fit.fit(1e-3, start=fit.fit(1e-1))
    assert objective(x, y, warm.w_DC, warm.b_C, 1e-3) <= minimum(x, y, 1e-3) * 1.001


@pytest.mark.parametrize("samples", [600, 2_000])
@pytest.mark.parametrize("l2", [1e-2, 1e-4])
def test_axes_on_which_no_sample_differs_are_left_out_and_cost_nothing(samples: int, l2: float) -> None:
    x, y = problem(samples, 20)
    x = torch.cat([x, x, torch.zeros(samples, 5), x], dim=1)  # three channels that are alike, and a border
    fit = LogisticRegression(x, y, 4)
    assert fit.x_NR.shape == (samples, 20)
    found = fit.fit(l2)
    assert found.w_DC.shape == (65, 4)
    assert objective(x, y, found.w_DC, found.b_C, l2) <= minimum(x, y, l2) * 1.001


def test_what_only_samples_show_that_were_not_drawn_for_the_axes_is_not_lost() -> None:
    x, y = problem(5_000, 10)
    drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[: logistic._SOME]
    rare = torch.zeros(len(x), 12)
    others = torch.ones(len(x), dtype=torch.bool).index_fill(0, drawn, False)
    rare[others] = 30 * torch.nn.functional.one_hot(y[others] * 3, 12).float()
    x = torch.cat([x, rare], dim=1)
    fit = LogisticRegression(x, y, 4)
    found = fit.fit(1e-3)
    assert objective(x, y, found.w_DC, found.b_C, 1e-3) <= minimum(x, y, 1e-3) * 1.001


def test_a_larger_tolerance_ends_sooner_and_says_the_same_of_nearly_all() -> None:
    x, y = problem(600, 30)
    fit = LogisticRegression(x, y, 4)
    exact, rough = (fit.fit(1e-4, tolerance=tolerance) for tolerance in (logistic.TOLERANCE, 1e-5))
    lowest, higher = (objective(x, y, found.w_DC, found.b_C, 1e-4) for found in (exact, rough))
    assert lowest < higher <= lowest * 1.01
    assert (exact.predict(x) == rough.predict(x)).double().mean() > 0.99


def test_predicts_the_largest_logit() -> None:
    weights = Weights(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.0, 0.5]))
    assert weights.predict(torch.tensor([[3.0, 1.0], [1.0, 0.9]])).tolist() == [0, 1]


@pytest.mark.gpu
def test_fits_on_a_gpu() -> None:
    x, y = problem(600, 30)
    found = LogisticRegression(x.cuda(), y.cuda(), 4).fit(1e-3)
    assert objective(x, y, found.w_DC.cpu(), found.b_C.cpu(), 1e-3) <= minimum(x, y, 1e-3) * 1.001
