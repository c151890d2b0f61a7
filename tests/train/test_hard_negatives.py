"""Hard negatives: rows that a loss meets beside those of other samples, exactly, on ranks and under the gradient cache."""

from __future__ import annotations

import pytest
import torch

import coview
import hard_negatives
from coview.data.batch import NO_NEGATIVE
from coview.model.loss_terms import Term
from coview.model.queue import Queue
from coview.recipe.needs import NEGATIVE, needs_of
from hard_negatives import IDS, NEGATIVE_IDS, N
from ranks import join_ranks, leave_ranks

BY_HAND = {
    "clip": (lambda z: hard_negatives.between_by_hand(z, 0.07), {}),
    "info_nce": (lambda z: hard_negatives.between_by_hand(z, 0.2, ("a",)), {"temperature": 0.2, "symmetric": False}),
    "siglip": (hard_negatives.siglip_by_hand, {}),
    "nt_xent": (lambda z: hard_negatives.among_all_by_hand(z, 0.5), {}),
}


def losses_of_candidates():
    registry = coview.load_plugins()
    for component in registry.of_kind("loss"):
        supplied = hard_negatives.supplied(registry, component.qualified)
        needs = needs_of(registry.build("loss", component.qualified, supplied=supplied))
        if needs is not None and needs.negatives == "queue":
            yield component.name


LOSSES = tuple(losses_of_candidates())


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_these_losses_take_them():
    assert set(LOSSES) == {
        "circle", "clip", "dcl", "dclw", "debiased", "hard_negative", "info_nce", "nt_xent", "siglip",
    }  # fmt: skip


@pytest.mark.parametrize("use", BY_HAND)
def test_value_and_gradient_are_those_of_a_loop(registry, use):
    loss, parameters = BY_HAND[use]
    built = hard_negatives.topology(registry, use, **parameters)
    expected = loss(hard_negatives.projections(built))
    expected.backward()
    by_hand = {name: p.grad.clone() for name, p in built.named_parameters() if p.grad is not None}
    found, step = hard_negatives.by_coview(hard_negatives.topology(registry, use, **parameters))
    assert float(step.outputs["loss"]) == pytest.approx(float(expected.detach()), abs=1e-9)
    for name, gradient in by_hand.items():
        if name.startswith("student"):
            assert torch.allclose(found[name], gradient, atol=1e-9), name
    assert max(float(gradient.abs().max()) for gradient in by_hand.values()) > 1e-4


@pytest.mark.parametrize("use", LOSSES)
@pytest.mark.parametrize(("stops", "queue"), [(False, False), (True, True)])
def test_the_cache_gives_the_gradient_of_the_plain_step(registry, use, stops, queue):
    plain, step = hard_negatives.by_coview(hard_negatives.topology(registry, use, stops=stops, queue=queue))
    cached, again = hard_negatives.by_coview(hard_negatives.topology(registry, use, stops=stops, queue=queue), rows=3)
    assert float(step.outputs["loss"]) == pytest.approx(float(again.outputs["loss"]), abs=1e-10)
    assert plain.keys() == cached.keys()
    for name, expected in plain.items():
        assert torch.allclose(cached[name], expected, atol=1e-10), name


def on_ranks(rank, ranks, address, answers):
    torch.set_default_dtype(torch.float64)
    join_ranks(rank, ranks, address)
    registry, answer = coview.load_plugins(), {}
    for use in LOSSES:
        found, step = hard_negatives.by_coview(hard_negatives.topology(registry, use), ranks, rank)
        answer[use] = {name: gradient.tolist() for name, gradient in found.items()}, float(step.outputs["loss"])
    if rank == ranks - 1:
        answers.put(answer)
    leave_ranks()


@pytest.mark.slow
def test_two_ranks_make_the_gradient_of_one_process(registry, answer_of_ranks):
    answer = answer_of_ranks(on_ranks, 2)
    for use in LOSSES:
        alone, step = hard_negatives.by_coview(hard_negatives.topology(registry, use))
        found, loss = answer[use]
        assert loss == pytest.approx(float(step.outputs["loss"]), rel=1e-6), "what is logged is summed in fp32"
        for name, expected in alone.items():
            assert torch.allclose(torch.tensor(found[name]), expected, atol=1e-10), (use, name)


def views(**more):
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(3, N, 4, generator=generator)
    return coview.Views.of(
        z, ids=IDS, modalities=("a", "b", "b"), roles=("", "", NEGATIVE), negative_ids=NEGATIVE_IDS, **more
    )


def test_a_loss_of_candidates_sees_them_as_rows_of_the_queue():
    seen = []

    class Loss:
        needs = coview.Needs(queue="optional", negatives="queue")

        def __call__(self, views):
            seen.append(views)
            return views.student.sum()

    of_all = views()
    Term("mine", 1.0, Loss())(of_all)
    has = NEGATIVE_IDS != NO_NEGATIVE
    assert seen[0].student.shape == (2, N, 4)
    assert seen[0].modalities == ("a", "b")
    assert torch.equal(seen[0].queue, of_all.student[2][has])
    assert torch.equal(seen[0].queue_ids, NEGATIVE_IDS[has])
    assert seen[0].queue_views.tolist() == [1] * 9
    queue = torch.randn(5, 4)
    Term("mine", 1.0, Loss())(views(queue=queue, queue_ids=torch.arange(5), queue_views=torch.tensor([0, 1, 1, 0, 1])))
    assert torch.equal(seen[1].queue, torch.cat([queue, of_all.student[2][has]]))
    assert seen[1].queue_views.tolist() == [0, 1, 1, 0, 1] + [1] * 9
    Term("mine", 1.0, Loss(), between=("a",))(views())
    assert seen[2].queue is None


def test_a_loss_of_triplets_sees_them_as_its_third_view(registry):
    """By hand; samples without a hard negative are left out."""
    loss = registry.build("loss", "triplet", mining="views", margin=0.5)
    of_all = views()
    found = Term("triplet", 1.0, loss)(of_all)
    a, b, c = of_all.student
    has = NEGATIVE_IDS != NO_NEGATIVE
    gap = (a - b).norm(dim=-1) - (a - c).norm(dim=-1) + 0.5
    assert found["loss"].item() == pytest.approx(gap.clamp(min=0)[has].mean().item())
    assert found["rows/triplet"].item() == 9


def test_the_queue_keeps_no_hard_negatives():
    queue = Queue(100, 4)
    queue.put(views())
    assert len(queue.content()[1]) == 2 * N
    assert queue.views().unique().tolist() == [0, 1]
