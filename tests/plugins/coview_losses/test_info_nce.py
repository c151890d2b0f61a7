from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NTXentLoss

import coview
from coview_losses.info_nce import InfoNCE, info_nce


def by_loop(
    student: torch.Tensor,
    teacher: torch.Tensor,
    ids: list[int],
    temperature: float,
    symmetric: bool,
    queue: torch.Tensor | None = None,
) -> float:
    """Enumerates every anchor and candidate."""

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

    losses = []
    for v in range(len(student)):
        for g in range(len(teacher)):
            if v == g or (v > 0 and not symmetric):
                continue
            for i in range(len(ids)):
                positive = math.exp(cosine(student[v, i], teacher[g, i]) / temperature)
                denominator = positive
                for j in range(len(ids)):
                    if ids[j] != ids[i]:
                        denominator += math.exp(cosine(student[v, i], teacher[g, j]) / temperature)
                for row in [] if queue is None else queue:
                    denominator += math.exp(cosine(student[v, i], row) / temperature)
                losses.append(-math.log(positive / denominator))
    return sum(losses) / len(losses)


def random_rows(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("samples", [2, 5])
@pytest.mark.parametrize("width", [1, 7])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_equals_the_loop(symmetric: bool, views: int, samples: int, width: int, temperature: float) -> None:
    z = random_rows(views, samples, width)
    expected = by_loop(z, z, list(range(samples)), temperature, symmetric)
    loss = InfoNCE(temperature=temperature, symmetric=symmetric)(coview.Views.of(z))
    assert loss.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("views", "teacher_views"), [(2, 2), (4, 2), (2, 3)])
def test_equals_the_loop_with_a_teacher_a_queue_and_equal_ids(symmetric: bool, views: int, teacher_views: int) -> None:
    student, teacher, queue = (
        random_rows(views, 5, 6),
        random_rows(teacher_views, 5, 6, seed=1),
        random_rows(9, 6, seed=2),
    )
    ids = [3, 8, 3, 3, 4]
    views_of = coview.Views.of(student, teacher=teacher, ids=torch.tensor(ids), queue=queue)
    loss = InfoNCE(temperature=0.3, symmetric=symmetric)(views_of)
    assert loss.item() == pytest.approx(by_loop(student, teacher, ids, 0.3, symmetric, queue), abs=1e-10)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("by", ["negatives", "ids"])
def test_with_negatives_from_the_queue_alone_equals_lightly(temperature: float, by: str) -> None:
    """Asked for, or because all ids are equal: MoCo's loss, which is lightly's NTXentLoss with a memory bank."""
    student, teacher = random_rows(2, 8, 6, dtype=torch.float32), random_rows(2, 8, 6, seed=1).float()
    queue = torch.nn.functional.normalize(random_rows(32, 6, seed=2).float(), dim=1)
    lightly = NTXentLoss(temperature, memory_bank_size=(32, 6))
    lightly.memory_bank.bank = queue.clone()
    student.requires_grad_()
    ids = torch.zeros(8, dtype=torch.int64) if by == "ids" else torch.arange(8)
    views = coview.Views.of(student, teacher=teacher, ids=ids, queue=queue)
    made = InfoNCE(temperature=temperature, symmetric=False, negatives="all" if by == "ids" else "queue")
    loss, expected = made(views), lightly(student[0], teacher[1])
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, student)[0],
        torch.autograd.grad(expected, student)[0],
        atol=1e-6,
        rtol=1e-4,
    )


@pytest.mark.parametrize("symmetric", [True, False])
def test_closed_forms(symmetric: bool) -> None:
    samples, temperature = 6, 0.5
    loss = InfoNCE(temperature=temperature, symmetric=symmetric)
    equal = torch.ones(2, samples, 3, dtype=torch.float64)
    orthogonal = torch.eye(samples, dtype=torch.float64).expand(2, -1, -1)
    assert loss(coview.Views.of(equal)).item() == pytest.approx(math.log(samples))
    expected = math.log(math.exp(1 / temperature) + samples - 1) - 1 / temperature
    assert loss(coview.Views.of(orthogonal)).item() == pytest.approx(expected)


def test_views_of_the_anchors_own_number_are_no_candidates() -> None:
    """Moving view 0 of other samples changes NT-Xent for an anchor in view 0, but not this loss."""
    z = random_rows(2, 4, 3)
    moved = z.clone()
    moved[0, 1:] = random_rows(3, 3, seed=5)
    ids = torch.arange(4)
    first = slice(0, 1)
    before, after = (info_nce(x, x, ids, 0.5, symmetric=False, anchors=first) for x in (z, moved))
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize("symmetric", [True, False])
def test_without_negatives_the_loss_is_zero(symmetric: bool) -> None:
    z = random_rows(3, 4, 3).requires_grad_()
    loss = InfoNCE(symmetric=symmetric)(coview.Views.of(z, ids=torch.zeros(4, dtype=torch.int64)))
    assert loss.item() == 0
    assert torch.autograd.grad(loss, z)[0].abs().max() == 0


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("parts", [2, 4])
def test_shares_of_the_anchors_average_to_the_whole(symmetric: bool, parts: int) -> None:
    student = random_rows(2, 8, 5).requires_grad_()
    teacher = random_rows(2, 8, 5, seed=1).requires_grad_()
    queue = random_rows(4, 5, seed=2)
    ids = torch.tensor([0, 1, 2, 0, 4, 5, 1, 7])
    leaves = (student, teacher)

    def share(anchors: slice) -> torch.Tensor:
        return info_nce(student, teacher, ids, 0.1, symmetric=symmetric, anchors=anchors, queue_QD=queue)

    whole = share(slice(0, 8))
    size = 8 // parts
    average = torch.stack([share(slice(p * size, (p + 1) * size)) for p in range(parts)]).mean()
    torch.testing.assert_close(average, whole, atol=1e-12, rtol=0)
    for got, expected in zip(torch.autograd.grad(average, leaves), torch.autograd.grad(whole, leaves), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-10, rtol=0)


@given(data=st.data(), samples=st.integers(2, 7), seed=st.integers(0, 1000), symmetric=st.booleans())
@settings(max_examples=40, deadline=None)
def test_does_not_depend_on_order_or_length_of_rows(
    data: st.DataObject, samples: int, seed: int, symmetric: bool
) -> None:
    z = random_rows(2, samples, 4, seed=seed)
    ids = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=samples, max_size=samples)))
    order = torch.tensor(data.draw(st.permutations(range(samples))))
    lengths = 10 ** random_rows(2, samples, 1, seed=seed + 1)
    loss = info_nce(z, z, ids, 0.2, symmetric=symmetric)
    assert loss >= 0
    reordered = info_nce(z[:, order], z[:, order], ids[order], 0.2, symmetric=symmetric)
    torch.testing.assert_close(reordered, loss)
    torch.testing.assert_close(info_nce(z * lengths, z * lengths, ids, 0.2, symmetric=symmetric), loss)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_at_a_low_temperature(dtype: torch.dtype) -> None:
    z = random_rows(2, 16, 8).to(dtype)
    reference = z.to(torch.float64)
    z.requires_grad_()
    loss_of = InfoNCE(temperature=0.01)
    with torch.autocast("cpu", dtype=dtype):
        loss = loss_of(coview.Views.of(z, queue=z[0].detach()))
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(loss_of(coview.Views.of(reference, queue=reference[0])).item(), rel=1e-5)
    assert torch.autograd.grad(loss, z)[0].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rows_without_direction_are_finite_and_get_no_gradient(dtype: torch.dtype) -> None:
    z = random_rows(2, 6, 8).to(dtype)
    z[0, 2] = 0
    z[1, 4] = 0
    z.requires_grad_()
    loss = InfoNCE()(coview.Views.of(z))
    gradient = torch.autograd.grad(loss, z)[0]
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient[0, 2].abs().max() == 0
    assert gradient[0, 0].abs().max() > 0


def test_gradient_by_finite_differences() -> None:
    student, teacher = random_rows(2, 4, 3).requires_grad_(), random_rows(2, 4, 3, seed=1).requires_grad_()
    queue = random_rows(3, 3, seed=2)
    ids = torch.tensor([0, 1, 0, 3])
    assert torch.autograd.gradcheck(
        lambda s, t: info_nce(s, t, ids, 0.3, queue_QD=queue, anchors=slice(0, 3)), (student, teacher)
    )


def test_runs_on_the_meta_device() -> None:
    assert InfoNCE()(coview.Views.of(torch.empty(2, 4, 3, device="meta"))).shape == ()


def test_a_queue_is_needed_for_negatives_of_the_queue_alone() -> None:
    assert InfoNCE().needs.queue == "optional"
    assert InfoNCE(negatives="queue").needs.queue == "required"
    student = random_rows(2, 4, 6)
    empty = coview.Views.of(student, teacher=random_rows(2, 4, 6, seed=1), queue=torch.zeros(0, 6, dtype=student.dtype))
    assert InfoNCE(negatives="queue", symmetric=False)(empty) == InfoNCE(symmetric=False)(empty)


def test_one_teacher_view_is_refused() -> None:
    z = random_rows(2, 4, 3)
    with pytest.raises(ValueError, match=r"at least 2 teacher views, got shape \(1, 4, 3\)"):
        InfoNCE()(coview.Views.of(z, teacher=z[:1]))
