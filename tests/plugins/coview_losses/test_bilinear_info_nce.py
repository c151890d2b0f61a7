"""COLA's loss against a loop over Python numbers, and against the authors' steps in PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from enumerated import random_rows

import coview
from coview_losses.bilinear_info_nce import BilinearInfoNCE


def built(width: int) -> BilinearInfoNCE:
    torch.manual_seed(0)
    return BilinearInfoNCE(width).double()


def by_loop(views: coview.Views, similarity: list[list[float]]) -> float:
    anchors, ids = views.student[0].tolist(), views.ids.tolist()
    losses = []
    for rows in views.teacher[1:].tolist():
        for i, anchor in enumerate(anchors):
            s = [
                sum(a * w * b for a, weights in zip(anchor, similarity, strict=True) for w, b in zip(weights, row, strict=True))
                for row in rows
            ]  # fmt: skip
            candidates = [s[j] for j in range(len(rows)) if j == i or ids[j] != ids[i]]
            losses.append(math.log(sum(map(math.exp, candidates))) - s[i])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("ids", [None, (3, 8, 3, 5, 4)])
@pytest.mark.parametrize("views", [2, 3])
def test_equals_the_loop(views: int, ids: tuple[int, ...] | None) -> None:
    z, loss = random_rows(views, 5, 4), built(4)
    given = coview.Views.of(z, ids=None if ids is None else torch.tensor(ids))
    assert loss(given).item() == pytest.approx(by_loop(given, loss.similarity_DD.tolist()), abs=1e-10)


def test_value_and_gradients_are_those_of_the_authors_steps() -> None:
    """The product as they take it: W times the positives, transposed; then anchors times that."""
    z, loss = random_rows(2, 9, 5).requires_grad_(), built(5)
    anchors, positives = z
    logits = anchors @ (loss.similarity_DD @ positives.T)
    theirs = torch.nn.functional.cross_entropy(logits, torch.arange(9))
    ours = loss(coview.Views.of(z))
    torch.testing.assert_close(ours, theirs)
    leaves = (z, loss.similarity_DD)
    torch.testing.assert_close(torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves))


def test_it_is_of_one_direction_and_not_of_cosines() -> None:
    z, loss = random_rows(2, 6, 4), built(4)
    assert loss(coview.Views.of(z)).item() != pytest.approx(loss(coview.Views.of(z.flip(0))).item())
    assert loss(coview.Views.of(3 * z)).item() != pytest.approx(loss(coview.Views.of(z)).item())


def test_its_first_weights_spread_by_a_twentieth() -> None:
    weights = built(200).similarity_DD
    assert weights.std().item() == pytest.approx(0.05, rel=0.02)
    assert abs(weights.mean().item()) < 0.001


def test_it_learns_to_tell_pairs_that_no_cosine_tells() -> None:
    """The other view of a sample is its view, turned."""
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(8, 8))[0]
    loss = BilinearInfoNCE(8)
    descent = torch.optim.Adam(loss.parameters(), lr=0.5)
    for _ in range(200):
        x = torch.nn.functional.normalize(torch.randn(32, 8), dim=-1)
        value = loss(coview.Views.of(torch.stack([x, x @ turn])))
        descent.zero_grad()
        value.backward()
        descent.step()
    assert value.item() < 0.3 < math.log(32) / 10
