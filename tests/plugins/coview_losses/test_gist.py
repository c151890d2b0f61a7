"""GIST against sentence-transformers' own loss, called on embeddings that are given."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from enumerated import cosine, mean, random_rows
from torch import nn

import coview
from coview_losses.gist import GIST

pytest.importorskip("sentence_transformers")
from sentence_transformers.sentence_transformer.losses import GISTEmbedLoss

CHOICES = [
    dict(zip(("margin_strategy", "margin", "contrast_anchors", "contrast_positives"), values, strict=True))
    for values in product(("absolute", "relative"), (0.0, 0.2), (False, True), (False, True))
]


def theirs(student: torch.Tensor, guide: torch.Tensor, **settings: Any) -> torch.Tensor:
    """Their loss without its constructor, which asks for two models with tokenizers: each gives what it is given."""

    def given(rows_VND: torch.Tensor) -> Any:
        views = iter(rows_VND)
        return lambda _: {"sentence_embedding": next(views)}

    loss: Any = GISTEmbedLoss.__new__(GISTEmbedLoss)
    nn.Module.__init__(loss)
    loss.model, loss.guide = given(student), given(guide)
    loss.must_retokenize, loss.gather_across_devices = False, False
    loss.similarity_fct, loss.cross_entropy_loss = nn.CosineSimilarity(dim=-1), nn.CrossEntropyLoss()
    for name, value in settings.items():
        setattr(loss, name, value)
    found: torch.Tensor = loss([{}, {}], None)
    return found


@pytest.mark.parametrize("settings", CHOICES, ids=lambda given: "-".join(map(str, given.values())))
def test_is_that_of_sentence_transformers_in_value_and_gradient(settings: dict[str, Any]) -> None:
    student, guide = random_rows(2, 9, 6).requires_grad_(), random_rows(2, 9, 4, seed=1)
    guide[1] = guide[0] + guide[1]  # a pair is more alike than most others
    expected = theirs(student, guide, temperature=0.05, **settings)
    found = GIST(temperature=0.05, **settings)(coview.Views.of(student, teacher=guide))
    assert 0 < found["left_out"] < 1
    assert found["loss"].item() == pytest.approx(expected.item(), rel=1e-10)
    (mine,), (wanted,) = torch.autograd.grad(found["loss"], student), torch.autograd.grad(expected, student)
    torch.testing.assert_close(mine, wanted, atol=1e-10, rtol=1e-8)


def test_by_a_loop_with_equal_ids() -> None:
    (q, p), (gq, gp) = random_rows(2, 6, 4).tolist(), random_rows(2, 6, 3, seed=1).tolist()
    ids = [3, 8, 3, 5, 8, 4]
    losses = []
    for n, own in enumerate(ids):
        alike = cosine(gq[n], gp[n])
        sums = math.exp(cosine(q[n], p[n]) / 0.1)
        for m, other in enumerate(ids):
            pairs = [((q[n], p[m]), (gq[n], gp[m])), ((q[n], q[m]), (gq[n], gq[m])), ((p[n], p[m]), (gp[n], gp[m]))]
            for of_student, of_guide in pairs:
                if other != own and cosine(*of_guide) <= alike:
                    sums += math.exp(cosine(*of_student) / 0.1)
        losses.append(math.log(sums) - cosine(q[n], p[n]) / 0.1)
    views = coview.Views.of(random_rows(2, 6, 4), teacher=random_rows(2, 6, 3, seed=1), ids=torch.tensor(ids))
    assert GIST(temperature=0.1)(views)["loss"].item() == pytest.approx(mean(losses), rel=1e-10)


def test_a_guide_that_finds_all_others_as_alike_leaves_nothing_to_learn() -> None:
    student = random_rows(2, 5, 4).requires_grad_()
    found = GIST()(coview.Views.of(student, teacher=torch.ones(2, 5, 3, dtype=torch.float64), ids=torch.arange(5)))
    spared = GIST(margin=0.1)(coview.Views.of(student, teacher=torch.ones(2, 5, 3, dtype=torch.float64)))
    assert found["left_out"] == 0
    assert (spared["left_out"], spared["loss"]) == (1, 0)
    assert torch.autograd.grad(spared["loss"], student)[0].abs().max() == 0
