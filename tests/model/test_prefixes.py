"""Matryoshka: a loss summed over the first dimensions, against lightly's loss of slices, in training and in messages."""

from __future__ import annotations

import json

import pytest
import torch
from lightly.loss import NTXentLoss, VICRegLoss

import coview
from coview.model.loss_terms import LossTerms, Term
from coview.model.prefixes import of_prefix
from coview_losses.info_nce import InfoNCE
from coview_losses.nt_xent import NTXent
from coview_losses.vicreg import VICReg


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("ours", "theirs"), [(NTXent(temperature=0.2), NTXentLoss(0.2)), (VICReg(), VICRegLoss())])
def test_it_is_the_sum_of_lightlys_loss_of_slices_in_value_and_gradient(ours, theirs):
    z = rows(2, 9, 8).requires_grad_()
    found = LossTerms([Term("it", 1.0, ours, (8, 4, 2))])(coview.Views.of(z))
    expected = {width: theirs(z[0, :, :width], z[1, :, :width]) for width in (8, 4, 2)}
    assert found["loss"].item() == pytest.approx(sum(value.item() for value in expected.values()), rel=1e-9)
    (mine,) = torch.autograd.grad(found["loss"], z)
    (other,) = torch.autograd.grad(sum(expected.values()), z)
    torch.testing.assert_close(mine, other, atol=1e-9, rtol=1e-8)
    for width, value in expected.items():
        assert found[f"loss/{width}"].item() == pytest.approx(value.item(), rel=1e-9)


def test_teacher_and_queue_are_cut_too():
    student, teacher, queue = rows(2, 5, 6).requires_grad_(), rows(2, 5, 6, seed=1), rows(7, 6, seed=2)
    loss = InfoNCE(temperature=0.3, symmetric=False)
    found = LossTerms([Term("it", 1.0, loss, (3,))])(coview.Views.of(student, teacher=teacher, queue=queue))
    q, k, u = (torch.nn.functional.normalize(z[..., :3], dim=-1) for z in (student[0], teacher[1], queue))
    expected = torch.nn.functional.cross_entropy(torch.cat([q @ k.T, q @ u.T], 1) / 0.3, torch.arange(5))
    assert found["loss"].item() == pytest.approx(expected.item(), rel=1e-10)


def test_where_there_is_no_teacher_it_is_still_the_students_own_object():
    views = of_prefix(coview.Views.of(rows(2, 5, 6)), 3)
    assert views.teacher is views.student
    assert not views.has_teacher


def test_a_recipe_trains_on_prefixes_and_logs_each(small_recipe, write_recipe, registry, tmp_path):
    text = small_recipe[: small_recipe.index("[[evaluate]]")].replace(
        'use = "nt_xent"', 'use = "nt_xent"\nprefixes = [8, 3]'
    )
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        logged = json.loads(line)
        assert logged["loss"] == pytest.approx(logged["loss/8"] + logged["loss/3"], rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ('"nt_xent"\nprefixes = [4, 4]', "loss.prefixes: names a width twice"),
        ('"nt_xent"\nprefixes = [0]', "loss.prefixes"),
        ('"nt_xent"\nprefixes = []', "loss.prefixes"),
        ('"swav"\nprefixes = [4]', "loss.prefixes: swav keeps what is as wide as the projections"),
        ('"token_mse"\nprefixes = [4]', "loss.prefixes: token_mse sees no projections"),
    ],
)
def test_what_does_not_go_is_a_message(small_recipe, write_recipe, loss, says):
    path = write_recipe(small_recipe.replace('use = "nt_xent"', f"use = {loss}"))
    with pytest.raises(coview.CoviewError, match=says):
        coview.load_recipe(path)


def test_a_prefix_wider_than_the_projections_is_a_message(small_recipe, write_recipe, registry, tmp_path):
    path = write_recipe(small_recipe.replace('use = "nt_xent"', 'use = "nt_xent"\nprefixes = [9, 4]'))
    with pytest.raises(
        coview.CoviewError, match=r"recipe.toml:\d+: loss.prefixes: the projections have 8 dimensions, got a"
    ):
        coview.run(coview.load_recipe(path, registry=registry), tmp_path / "runs", registry=registry, quiet=True)
