"""Debiased and hard-negative losses: one estimator."""

from __future__ import annotations

import math

import pytest
import torch
from enumerated import equal_rows, every_anchor, mean, orthogonal_rows, random_rows, scenes
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview_losses.debiased import Debiased
from coview_losses.hard_negative import HardNegative
from coview_losses.nt_xent import NTXent

SCENES = scenes()


def by_loop(views: coview.Views, temperature: float, tau_plus: float, beta: float) -> float:
    losses = []
    for anchor in every_anchor(views):
        weights = [math.exp(beta * s / temperature) for s in anchor.negatives]
        total = sum(weights)
        expected = sum(w / total * math.exp(s / temperature) for w, s in zip(weights, anchor.negatives, strict=True))
        terms = []
        for s in anchor.positives.values():
            positive = math.exp(s / temperature)
            g = max((expected - tau_plus * positive) / (1 - tau_plus), math.exp(-1 / temperature))
            terms.append(-math.log(positive / (positive + len(anchor.negatives) * g)))
        losses.append(mean(terms))
    return mean(losses)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("tau_plus", [0.0, 0.1, 0.6])
def test_equals_the_loop(scene: str, temperature: float, tau_plus: float) -> None:
    views = SCENES[scene]
    loss = Debiased(temperature=temperature, tau_plus=tau_plus)
    assert loss(views).item() == pytest.approx(by_loop(views, temperature, tau_plus, 0), abs=1e-10)
    for beta in (0.0, 0.5, 2.0):
        loss = HardNegative(temperature=temperature, tau_plus=tau_plus, beta=beta)
        assert loss(views).item() == pytest.approx(by_loop(views, temperature, tau_plus, beta), abs=1e-10)


def test_with_two_views_and_no_correction_it_is_nt_xent() -> None:
    views = coview.Views.of(random_rows(2, 6, 4), ids=torch.tensor([1, 2, 1, 4, 5, 6]))
    torch.testing.assert_close(Debiased(temperature=0.3, tau_plus=0.0)(views), NTXent(temperature=0.3)(views))


def test_closed_forms() -> None:
    samples, temperature = 6, 0.5
    negatives = 2 * (samples - 1)
    for loss in (Debiased(temperature=temperature), HardNegative(temperature=temperature)):
        assert loss(equal_rows(2, samples)).item() == pytest.approx(math.log(1 + negatives))
        g = max((1 - 0.1 * math.exp(2)) / 0.9, math.exp(-2))
        expected = math.log(1 + negatives * g / math.exp(2))
        assert loss(orthogonal_rows(samples)).item() == pytest.approx(expected)


@given(seed=st.integers(0, 200), tau_plus=st.sampled_from([0.0, 0.1, 0.9]), beta=st.sampled_from([0.0, 1.0]))
def test_gradient_by_finite_differences(seed: int, tau_plus: float, beta: float) -> None:
    z = random_rows(2, 4, 3, seed=seed).requires_grad_()
    loss = HardNegative(temperature=0.5, tau_plus=tau_plus, beta=beta)
    assert torch.autograd.gradcheck(lambda x: loss(coview.Views.of(x)), (z,), atol=1e-4)


def test_where_exponentials_overflow_it_is_the_loss_in_double_precision() -> None:
    z = random_rows(2, 16, 4)
    loss = HardNegative(temperature=0.01, tau_plus=0.1)
    exact, single = loss(coview.Views.of(z)), loss(coview.Views.of(z.float()))
    assert single.item() == pytest.approx(exact.item(), rel=1e-4)
