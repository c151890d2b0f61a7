"""Losses of hidden tokens against loops, in fp64, value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import coview
from coview_losses.ibot import IBOT
from coview_losses.token_cosine import TokenCosine
from coview_losses.token_cross_entropy import TokenCrossEntropy
from coview_losses.token_mse import TokenMSE
from coview_losses.token_smooth_l1 import TokenSmoothL1

ROWS = torch.tensor([0, 0, 0, 2, 2, 5])
"""Of six views, of which three have nothing hidden."""
VIEWS, K, P = 6, len(ROWS), 7


def tokens(targets=None):
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randn(K, P, generator=generator, dtype=torch.float64).requires_grad_()
    if targets is None:
        targets = torch.randn(K, P, generator=generator, dtype=torch.float64)
    return coview.HiddenTokens(predictions, targets, ROWS, VIEWS)


def views(of):
    return coview.Views.of(torch.zeros(1, VIEWS, 2, dtype=torch.float64), tokens=of)


def value_and_gradient(loss, of):
    made = loss(views(of))
    made = made["loss"] if isinstance(made, dict) else made
    (gradient,) = torch.autograd.grad(made, of.predictions)
    return made.detach(), gradient


def mean_over(kind, of_token):
    if kind == "tokens":
        return sum(of_token) / K
    by_view = [[value for value, row in zip(of_token, ROWS, strict=True) if row == view] for view in range(VIEWS)]
    return sum(sum(values) / len(values) for values in by_view if values) / VIEWS


def smooth_l1(p, t, beta):
    found = []
    for a, b in zip(p, t, strict=True):
        d = (a - b).abs()
        found.append(0.5 * d * d / beta if beta and d < beta else d - 0.5 * beta)
    return sum(found) / P


@pytest.mark.parametrize("over", ["tokens", "samples"])
@pytest.mark.parametrize(
    ("build", "of_one"),
    [
        (lambda over: TokenMSE(over=over), lambda p, t: sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / P),
        (lambda over: TokenSmoothL1(beta=0.7, over=over), lambda p, t: smooth_l1(p, t, 0.7)),
        (lambda over: TokenSmoothL1(beta=0.0, over=over), lambda p, t: smooth_l1(p, t, 0.0)),
        (lambda over: TokenCosine(over=over), lambda p, t: 1 - p @ t / (p.norm() * t.norm())),
    ],
    ids=["mse", "smooth_l1", "l1", "cosine"],
)
def test_numbers_against_a_loop(build, of_one, over):
    of = tokens()
    found = value_and_gradient(build(over), of)
    expected = mean_over(over, [of_one(p, t) for p, t in zip(of.predictions, of.targets, strict=True)])
    (gradient,) = torch.autograd.grad(expected, of.predictions)
    torch.testing.assert_close(found, (expected.detach(), gradient))


@pytest.mark.parametrize("over", ["tokens", "samples"])
def test_classes_against_a_loop(over):
    of = tokens(torch.tensor([3, 0, 6, 2, 2, 5]))
    found = value_and_gradient(TokenCrossEntropy(over=over), of)
    each = [p.exp().sum().log() - p[t] for p, t in zip(of.predictions, of.targets, strict=True)]
    expected = mean_over(over, each)
    (gradient,) = torch.autograd.grad(expected, of.predictions)
    torch.testing.assert_close(found, (expected.detach(), gradient))


def test_the_share_of_tokens_that_were_guessed():
    of = tokens()
    best = of.predictions.detach().argmax(1)
    best[:2] = (best[:2] + 1) % P
    made = TokenCrossEntropy()(views(coview.HiddenTokens(of.predictions, best, ROWS, VIEWS)))
    assert float(made["token_accuracy"]) == pytest.approx(4 / 6)


def test_ibot_against_its_formula():
    """``iBOTLoss.forward`` of the authors' code: per view the mean over hidden tokens, then over all views."""
    of = tokens()
    loss = IBOT(P, warmup=0.0, teacher_temperature=0.07).double()
    loss.center_D += torch.linspace(-1, 1, P).double()
    center = loss.center_D.clone()
    found = value_and_gradient(loss, of)
    target = ((of.targets - center) / 0.07).softmax(-1)
    log_p = (of.predictions / 0.1).log_softmax(-1)
    expected = mean_over("samples", [-(q * log_q).sum() for q, log_q in zip(target, log_p, strict=True)])
    (gradient,) = torch.autograd.grad(expected, of.predictions)
    torch.testing.assert_close(found, (expected.detach(), gradient))
    torch.testing.assert_close(loss.center_D, 0.9 * center + 0.1 * of.targets.mean(0))


def test_ibot_leaves_its_centre_alone_in_evaluation():
    loss = IBOT(P).double().eval()
    loss(views(tokens()))
    assert not loss.center_D.any()


def test_sinkhorn_of_tokens_is_dinov2s():
    """``sinkhorn_knopp_teacher`` of the authors' code, on one process."""
    of = tokens()
    loss = IBOT(P, warmup=0.0, teacher_temperature=0.5, centering="sinkhorn").double()
    made, gradient = value_and_gradient(loss, of)
    q = torch.exp(of.targets / 0.5).T
    q /= q.sum()
    for _ in range(3):
        q /= q.sum(1, keepdim=True)
        q /= P
        q /= q.sum(0, keepdim=True)
        q /= K
    target = (q * K).T
    expected = mean_over("samples", list(-(target * (of.predictions / 0.1).log_softmax(-1)).sum(1)))
    (wanted,) = torch.autograd.grad(expected, of.predictions)
    torch.testing.assert_close(made, expected.detach())
    torch.testing.assert_close(gradient, wanted)


def test_where_no_token_is_hidden_the_loss_is_zero_and_so_is_its_gradient():
    empty = torch.zeros(0, P, dtype=torch.float64).requires_grad_()
    of = coview.HiddenTokens(empty, torch.zeros(0, P, dtype=torch.float64), ROWS[:0], VIEWS)
    for loss in (TokenMSE(), TokenMSE(over="samples"), TokenSmoothL1(), TokenCosine(), IBOT(P).double(),
                 IBOT(P, centering="sinkhorn").double()):  # fmt: skip
        made, gradient = value_and_gradient(loss, of)
        assert float(made) == 0
        assert gradient.shape == (0, P)


def test_views_without_hidden_tokens_are_refused():
    with pytest.raises(ValueError, match="token_mse is a loss of hidden tokens, and these views have none"):
        TokenMSE()(coview.Views.of(torch.zeros(1, 3, 2)))


def test_smooth_l1_is_pytorchs():
    of = tokens()
    made, _ = value_and_gradient(TokenSmoothL1(beta=2.0), of)
    torch.testing.assert_close(made, functional.smooth_l1_loss(of.predictions, of.targets, beta=2.0).detach())
