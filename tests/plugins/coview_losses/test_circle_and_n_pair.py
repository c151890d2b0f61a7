from __future__ import annotations

import math
from decimal import Decimal

import pytest
import torch
from enumerated import dot, equal_rows, every_anchor, mean, orthogonal_rows, random_rows, scenes, value_and_gradient
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import CircleLoss, NPairsLoss

import coview
from coview_losses.circle import Circle
from coview_losses.n_pair import NPair

SCENES = scenes()
NO_QUEUE = scenes(queue=False)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 256.0), (0.4, 8.0), (0.0, 1.0)])
def test_circle_equals_the_loop(scene: str, margin: float, gamma: float) -> None:
    views, losses = SCENES[scene], []
    for anchor in every_anchor(views):
        pushes = [gamma * max(0, s + margin) * (s - margin) for s in anchor.negatives]
        pulls = [-gamma * max(0, 1 + margin - s) * (s - 1 + margin) for s in anchor.positives.values()]
        # Decimal does not overflow
        product = sum(Decimal(x).exp() for x in pushes) * sum(Decimal(x).exp() for x in pulls)
        losses.append(float((1 + product).ln()))
    assert Circle(margin=margin, gamma=gamma)(views).item() == pytest.approx(mean(losses), abs=1e-9)


def test_circle_equals_pytorch_metric_learning_in_value_and_gradient() -> None:
    """With losses above 0 everywhere, which theirs averages over."""
    z = random_rows(2, 8, 4).requires_grad_()
    ours = value_and_gradient(Circle(margin=0.4, gamma=80.0)(coview.Views.of(z)), z)
    theirs = value_and_gradient(CircleLoss(m=0.4, gamma=80)(z.flatten(0, 1), torch.arange(8).repeat(2)), z)
    torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-7)


def test_circle_closed_forms() -> None:
    n, margin, gamma = 4, 0.25, 4.0
    equal = math.log(1 + 2 * (n - 1) * math.exp(gamma * (1 + margin) * (1 - margin)) * math.exp(-gamma * margin**2))
    assert Circle(margin=margin, gamma=gamma)(equal_rows(2, n)).item() == pytest.approx(equal)
    orthogonal = math.log(1 + 2 * (n - 1) * math.exp(-gamma * margin**2) * math.exp(-gamma * margin**2))
    assert Circle(margin=margin, gamma=gamma)(orthogonal_rows(n)).item() == pytest.approx(orthogonal)


def n_pair_by_loop(views: coview.Views, l2: float) -> float:
    student, teacher, ids = views.student.tolist(), views.teacher.tolist(), views.ids.tolist()
    losses = []
    for v in range(len(student)):
        for g in range(len(teacher)):
            for i in range(len(ids) if v != g else 0):
                own = dot(student[v][i], teacher[g][i])
                others = [j for j in range(len(ids)) if ids[j] != ids[i]]
                losses.append(math.log(1 + sum(math.exp(dot(student[v][i], teacher[g][j]) - own) for j in others)))
    return mean(losses) + l2 * mean(dot(row, row) for rows in student for row in rows)


@pytest.mark.parametrize("scene", NO_QUEUE)
@pytest.mark.parametrize("l2", [0.0, 0.02])
def test_n_pair_equals_the_loop(scene: str, l2: float) -> None:
    views = NO_QUEUE[scene]
    assert NPair(l2=l2)(views).item() == pytest.approx(n_pair_by_loop(views, l2), abs=1e-10)


def test_n_pair_equals_both_directions_of_pytorch_metric_learning() -> None:
    z = random_rows(2, 8, 4).requires_grad_()
    own, other = torch.arange(8), torch.arange(8, 16)
    theirs = [
        NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))(
            z.flatten(0, 1), own.repeat(2), indices_tuple=(a, p, a, p)
        )
        for a, p in ((own, other), (other, own))
    ]
    expected = value_and_gradient((theirs[0] + theirs[1]) / 2, z)
    ours = value_and_gradient(NPair(l2=0.0)(coview.Views.of(z)), z)
    torch.testing.assert_close(ours, expected, atol=1e-9, rtol=1e-7)


def test_n_pair_closed_forms() -> None:
    assert NPair(l2=0.1)(equal_rows(2, 6)).item() == pytest.approx(math.log(6) + 0.3)
    assert NPair(l2=0.0)(orthogonal_rows(6)).item() == pytest.approx(math.log(1 + 5 * math.exp(-1)))
