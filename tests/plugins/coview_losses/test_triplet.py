from __future__ import annotations

import math

import pytest
import torch
from enumerated import (
    cosine,
    equal_rows,
    euclidean,
    every_anchor,
    mean,
    orthogonal_rows,
    random_rows,
    scenes,
    value_and_gradient,
)
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer

import coview
from coview_losses import hardest_negatives
from coview_losses.triplet import Triplet

SCENES = scenes(queue=False)
DISTANCES = {"euclidean": euclidean, "cosine": lambda a, b: 1 - cosine(a, b)}
MARGINS = [0.0, 0.5, "soft"]


def hinge(gap: float, margin: float | str) -> float:
    return math.log(1 + math.exp(gap)) if margin == "soft" else max(0.0, gap + margin)


def by_loop(views: coview.Views, mining: str, margin: float | str, distance: str) -> float:
    losses = []
    for anchor in every_anchor(views, DISTANCES[distance]):
        positives, negatives = list(anchor.positives.values()), anchor.negatives
        if mining == "all":
            losses.append(mean(hinge(p - n, margin) for p in positives for n in negatives))
        elif mining == "semi_hard":
            chosen = [min((n for n in negatives if n > p), default=max(negatives)) for p in positives]
            losses.append(mean(hinge(p - n, margin) for p, n in zip(positives, chosen, strict=True)))
        else:
            losses.append(hinge(max(positives) - min(negatives), margin))
    return mean(losses)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("mining", ["all", "semi_hard", "hard"])
@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("block", [1, 25, 2**22])
def test_equals_the_loop(monkeypatch, scene, mining, margin, distance, block) -> None:
    monkeypatch.setattr(hardest_negatives, "BLOCK_ELEMENTS", block)
    views = SCENES[scene]
    loss = Triplet(mining=mining, margin=margin, distance=distance)(views)
    assert loss.item() == pytest.approx(by_loop(views, mining, margin, distance), abs=1e-10)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("distance", DISTANCES)
def test_the_views_may_say_the_triplet(margin, distance) -> None:
    z, measure = random_rows(3, 5, 4), DISTANCES[distance]
    rows = z.tolist()
    expected = mean(hinge(measure(a, p) - measure(a, n), margin) for a, p, n in zip(*rows, strict=True))
    loss = Triplet(mining="views", margin=margin, distance=distance)
    assert loss(coview.Views.of(z)).item() == pytest.approx(expected, abs=1e-12)
    assert loss.needs.views == 3
    with pytest.raises(ValueError, match="needs 3 views"):
        loss(coview.Views.of(z[:2]))


def test_hard_equals_pytorch_metric_learning_in_value_and_gradient() -> None:
    z = random_rows(2, 16, 8).requires_grad_()
    labels = torch.arange(16).repeat(2)
    distance = LpDistance(normalize_embeddings=False)
    mined = BatchHardMiner(distance=distance)(z.flatten(0, 1), labels)
    for margin, theirs in (
        (0.5, TripletMarginLoss(margin=0.5, distance=distance, reducer=MeanReducer())),
        ("soft", TripletMarginLoss(margin=0.0, smooth_loss=True, distance=distance, reducer=MeanReducer())),
    ):
        expected = value_and_gradient(theirs(z.flatten(0, 1), labels, mined), z)
        ours = value_and_gradient(Triplet(margin=margin)(coview.Views.of(z)), z)
        torch.testing.assert_close(ours, expected, atol=1e-9, rtol=1e-7)


def test_all_equals_pytorch_metric_learning_in_value_and_gradient() -> None:
    z = random_rows(2, 8, 4).requires_grad_()
    theirs = TripletMarginLoss(
        margin=0.3, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer()
    )(z.flatten(0, 1), torch.arange(8).repeat(2))  # fmt: skip
    ours = Triplet(mining="all", margin=0.3)(coview.Views.of(z))
    torch.testing.assert_close(value_and_gradient(ours, z), value_and_gradient(theirs, z), atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("mining", ["all", "semi_hard", "hard"])
def test_closed_forms(mining) -> None:
    loss = Triplet(mining=mining, margin=2.0)
    assert loss(equal_rows()).item() == pytest.approx(2)
    assert loss(orthogonal_rows()).item() == pytest.approx(2 - math.sqrt(2))
    assert Triplet(mining=mining, margin="soft")(equal_rows()).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("mining", ["all", "semi_hard", "hard"])
@pytest.mark.parametrize("distance", DISTANCES)
def test_gradient_by_finite_differences(mining, distance) -> None:
    z = random_rows(2, 4, 3).requires_grad_()
    loss = Triplet(mining=mining, distance=distance)
    assert torch.autograd.gradcheck(lambda x: loss(coview.Views.of(x)), (z,))
