from __future__ import annotations

import math

import pytest
import torch
from enumerated import equal_rows, every_anchor, mean, orthogonal_rows, random_rows, scenes, value_and_gradient
from lightly.loss import DCLLoss, DCLWLoss

import coview
from coview_losses.dcl import DCL
from coview_losses.dclw import DCLW

SCENES = scenes()


def by_loop(views: coview.Views, temperature: float, sigma: float | None = None) -> float:
    anchors = list(every_anchor(views))
    losses = []
    for anchor in anchors:
        pulls = []
        for other, s in anchor.positives.items():
            weight = 1.0
            if sigma is not None:
                same_views = [math.exp(a.positives[other] / sigma) for a in anchors if a.view == anchor.view]
                weight = 2 - math.exp(s / sigma) / mean(same_views)
            pulls.append(weight * s / temperature)
        losses.append(-mean(pulls) + math.log(sum(math.exp(s / temperature) for s in anchor.negatives)))
    return mean(losses)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("temperature", [0.05, 0.1, 2.0])
def test_equals_the_loop(scene: str, temperature: float) -> None:
    views = SCENES[scene]
    assert DCL(temperature=temperature)(views).item() == pytest.approx(by_loop(views, temperature), abs=1e-10)
    for sigma in (0.3, 0.5):
        expected = by_loop(views, temperature, sigma)
        assert DCLW(temperature=temperature, sigma=sigma)(views).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("ours", "theirs"), [(DCL(temperature=0.1), DCLLoss(0.1)), (DCLW(temperature=0.2), DCLWLoss(0.2))], ids=["dcl", "dclw"])  # fmt: skip
def test_equals_lightly_in_value_and_gradient(ours, theirs) -> None:
    z = random_rows(2, 16, 8).requires_grad_()
    got, expected = value_and_gradient(ours(coview.Views.of(z)), z), value_and_gradient(theirs(z[0], z[1]), z)
    torch.testing.assert_close(got, expected, atol=1e-10, rtol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_dclws_weights_are_constants_where_its_source_lets_them_have_a_gradient(seed: int) -> None:
    z = random_rows(2, 32, 16, seed=seed).requires_grad_()

    def by_formula(*, constant: bool) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for a, b in (z / z.norm(dim=-1, keepdim=True), (z / z.norm(dim=-1, keepdim=True)).flip(0)):
            weight = 2 - 32 * torch.softmax((a * b).sum(1) / 0.5, 0)
            own = torch.eye(32, dtype=torch.bool).repeat(1, 2)
            push = (torch.cat([a @ a.T, a @ b.T], 1) / 0.1).masked_fill(own, -torch.inf).logsumexp(1)
            total = total + (push - (weight.detach() if constant else weight) * (a * b).sum(1) / 0.1).mean() / 2
        return total

    found = value_and_gradient(DCLW(temperature=0.1)(coview.Views.of(z)), z)
    torch.testing.assert_close(found, value_and_gradient(by_formula(constant=True), z), atol=1e-10, rtol=1e-8)
    (theirs,) = torch.autograd.grad(by_formula(constant=False), z)
    assert 0.25 < (found[1] - theirs).norm() / theirs.norm() < 0.5


@pytest.mark.parametrize("loss", [DCL, DCLW])
def test_closed_forms(loss) -> None:
    temperature, samples = 0.5, 6
    build = loss(temperature=temperature)
    assert build(equal_rows(2, samples)).item() == pytest.approx(math.log(2 * (samples - 1)))
    assert build(orthogonal_rows(samples)).item() == pytest.approx(math.log(2 * (samples - 1)) - 1 / temperature)


def test_without_negatives_only_the_pull_is_left() -> None:
    z = random_rows(2, 4, 3)
    views = coview.Views.of(z, ids=torch.zeros(4, dtype=torch.int64))
    expected = -torch.nn.functional.cosine_similarity(z[0], z[1], dim=-1).mean() / 0.1
    torch.testing.assert_close(DCL()(views), expected)
