"""The student's own views, without gradient, as the target branch: in one process and in two, for every loss.

They share the student's memory. What is right is written down here once more in fp64, for the losses that compare whole
batches; for all others it is what the same numbers in memory of their own come to.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

import coview
from coview.data.batch import Batch
from coview.model.gather import average_gradients, rank_weight, views_of_all_ranks
from coview.model.loss_terms import LossTerms, Term
from coview.model.topology import Taught, Topology
from coview.model.tower import Projected, Tower, Towers
from coview.testing.loss_under_test import LossUnderTest
from coview.testing.outcome import scalar_of
from coview_losses.barlow_twins import BarlowTwins
from coview_losses.mmcr import MMCR
from coview_losses.sigreg import SIGReg, directions
from coview_losses.vicreg import VICReg
from coview_losses.w_mse import WMSE

REGISTRY = coview.load_plugins()
N, D, VIEWS = 9, 5, (2, 3)
BOUNDS = (0, 4, 9)


def pairs(views: int) -> list[tuple[int, int]]:
    return [(v, g) for v, g in product(range(views), range(views)) if v != g]


def mean_over(values: list[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) / len(values)


def vicreg(s: Tensor, t: Tensor) -> Tensor:
    invariance = mean_over([(s[v] - t[g]).pow(2).sum() / (N * D) for v, g in pairs(len(s))])
    total = 25 * invariance
    for z in s:
        covariance = torch.cov(z.T)
        total = total + 25 * (1 - (covariance.diagonal() + 1e-4).sqrt()).clamp(min=0).sum() / D / len(s)
        total = total + 2 * (covariance - covariance.diagonal().diag()).pow(2).sum() / D / len(s)
    return total


def barlow_twins(s: Tensor, t: Tensor) -> Tensor:
    def standard(z: Tensor) -> Tensor:
        return (z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()

    found = []
    for v, g in pairs(len(s)):
        c = torch.einsum("ni,nj->ij", standard(s[v]), standard(t[g])) / N
        weight = torch.where(torch.eye(D, dtype=torch.bool), 1.0, 0.005)
        found.append((weight * (c - torch.eye(D)).pow(2)).sum())
    return mean_over(found)


def w_mse(s: Tensor, t: Tensor) -> Tensor:
    def white(z: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(0.99 * torch.cov(z.T) + 0.01 * torch.eye(D))
        z = (z - z.mean(0)) @ torch.linalg.inv(factor).T
        return z / z.norm(dim=1, keepdim=True)

    return mean_over([(white(s[v]) - white(t[g])).pow(2).sum(1).mean() for v, g in pairs(len(s))])


def nuclear(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix, "nuc")


def mmcr(s: Tensor, t: Tensor) -> Tensor:
    s, t = s / s.norm(dim=-1, keepdim=True), t / t.norm(dim=-1, keepdim=True)
    spread = mean_over([nuclear(s[:, n]) for n in range(N)])
    return -nuclear((s.mean(0) + t.mean(0)) / 2) + 0.3 * spread


def sigreg(s: Tensor, t: Tensor) -> Tensor:
    knots, slices = torch.linspace(0, 3, 17), directions(D, 16, 0, s)
    target = [mean_over([t[g] for g in range(len(t)) if g != v]) for v in range(len(s))]
    prediction = mean_over([(s[v] - target[v]).pow(2).mean() for v in range(len(s))])
    statistics = []
    for z in s:
        x = (z @ slices)[..., None] * knots
        error = (x.cos().mean(0) - (-knots.pow(2) / 2).exp()).pow(2) + x.sin().mean(0).pow(2)
        statistics.append(2 * N * torch.trapezoid(error * (-knots.pow(2) / 2).exp(), knots).mean())
    return 0.9 * prediction + 0.1 * mean_over(statistics)


WRITTEN_DOWN = {
    "vicreg": (VICReg, {}, vicreg),
    "barlow_twins": (BarlowTwins, {}, barlow_twins),
    "w_mse": (WMSE, {"eps": 0.01}, w_mse),
    "mmcr": (MMCR, {"lambda_": 0.3}, mmcr),
    "sigreg": (SIGReg, {"lambda_": 0.1, "slices": 16}, sigreg),
}


def every_loss() -> dict[str, LossUnderTest]:
    """All that see projections, as far as two or three views fit them."""
    found = {}
    for component in REGISTRY.of_kind("loss"):
        if not component.is_family:
            tested = LossUnderTest(component.load(), width=D)
            if tested.needs.tokens == "unused":
                found[component.name] = tested
    return found


def weights_and_inputs(views: int) -> tuple[nn.Linear, Tensor]:
    generator = torch.Generator().manual_seed(views)
    model = nn.Linear(D, D).double()
    with torch.no_grad():
        model.weight.copy_(torch.randn(D, D, generator=generator, dtype=torch.float64))
        model.bias.copy_(torch.randn(D, generator=generator, dtype=torch.float64) / 3)
    return model, torch.randn(views, N, D, generator=generator, dtype=torch.float64)


def by_formula(formula, views: int) -> Tensor:
    """The gradient of the model's weights."""
    model, x = weights_and_inputs(views)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    formula(model(x), model(x).detach().clone()).backward()
    torch.set_default_dtype(default)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def by_coview(loss, needs: coview.Needs, views: int, own: slice = slice(None), *, copied: bool = False) -> Tensor:
    """The same as training makes it; with ``copied`` the target branch has memory of its own."""
    model, x = weights_and_inputs(views)
    student = model(x[:, own])
    made = Projected(student, student, student if needs.representations else None)
    extras = {name: (torch.arange(N) % 4)[own] for name in needs.extras}
    labels = (torch.arange(N) % 3)[own] if needs.labels else None
    batch = Batch({}, (torch.arange(N) * 3)[own], labels, None, None, extras=extras)
    towers = Towers({"a": Tower(nn.Identity(), nn.Identity())}, ("a",) * views, views)
    terms = LossTerms([Term("it", 1.0, loss)])
    seen = Topology(towers, terms, stop_gradient=True).views(made, Taught(None, None), batch, 0.5)
    if copied:
        options = {"global_views": views, "progress": 0.5}
        teacher = student.detach().clone()
        seen = views_of_all_ranks(made, batch, seen.modalities, teacher_GND=teacher, **options)
    if needs.queue == "required":
        generator = torch.Generator().manual_seed(0)
        rows = torch.randn(6, D, generator=generator, dtype=torch.float64)
        seen = coview.Views(**{**vars(seen), "queue": rows, "queue_ids": torch.full((6,), -1)})
    if needs.roles:
        seen = coview.Views(**{**vars(seen), "roles": needs.roles + ("",) * (views - len(needs.roles))})
    (terms(seen)["loss"] * rank_weight(seen)).backward()
    average_gradients(model.parameters())
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def all_of_them(own: slice = slice(None), *, copied: bool = False) -> dict[tuple[str, int], Tensor]:
    found = {}
    for name, tested in every_loss().items():
        for views in VIEWS:
            fits = views >= tested.needs.views and (tested.needs.most_views or views) >= views
            if fits:
                found[name, views] = by_coview(tested.fresh(), tested.needs, views, own, copied=copied)
    for name, (loss, parameters, _) in WRITTEN_DOWN.items():
        for views in VIEWS:
            found[name + " of the formula", views] = by_coview(loss(**parameters), loss.needs, views, own)
    return found


def rank(number: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=number, world_size=ranks)
    found = {key: gradient.tolist() for key, gradient in all_of_them(slice(*BOUNDS[number : number + 2])).items()}
    if number == 0:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


def check(found: dict[tuple[str, int], Tensor]) -> None:
    expected = all_of_them(copied=True)
    for name, (_, _, formula) in WRITTEN_DOWN.items():
        for views in VIEWS:
            expected[name + " of the formula", views] = by_formula(formula, views)
    assert found.keys() == expected.keys()
    for key, gradient in found.items():
        gradient = torch.as_tensor(gradient, dtype=torch.float64)
        torch.testing.assert_close(gradient, expected[key], atol=1e-9, rtol=1e-8, msg=lambda text, key=key: f"{key}: {text}")  # fmt: skip


def test_the_gradient_is_that_of_a_target_that_stands_still() -> None:
    check(all_of_them())


def test_so_it_is_in_two_processes(answer_of_ranks) -> None:
    check(answer_of_ranks(rank, 2))


@pytest.mark.parametrize("name", WRITTEN_DOWN)
def test_it_is_another_gradient_than_without_a_stop(name: str) -> None:
    """What was wrong: the loss took the target for the student's own views."""
    loss, parameters, formula = WRITTEN_DOWN[name]
    model, x = weights_and_inputs(2)
    z = model(x)
    loss = loss(**parameters)
    scalar_of(loss(coview.Views.of(z))).backward()
    without = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    assert not torch.allclose(without, by_formula(formula, 2), rtol=0.05)
