from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.loss import NTXentLoss

import coview
from coview_losses.nt_xent import NTXent, nt_xent


def by_loop(
    student: torch.Tensor,
    teacher: torch.Tensor,
    ids: list[int],
    temperature: float,
    queue: torch.Tensor | None = None,
) -> float:
    """Enumerates every anchor, candidate and positive."""

    def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

    losses = []
    for v in range(len(student)):
        for i in range(len(ids)):
            terms, positives = [], []
            for g in range(len(teacher)):
                for j in range(len(ids)):
                    s = cosine(student[v, i], teacher[g, j]) / temperature
                    if i == j:
                        if g != v:
                            positives.append(s)
                            terms.append(s)
                    elif ids[i] != ids[j]:
                        terms.append(s)
            if queue is not None:
                terms += [cosine(student[v, i], row) / temperature for row in queue]
            denominator = sum(math.exp(s) for s in terms)
            losses.append(sum(-math.log(math.exp(s) / denominator) for s in positives) / len(positives))
    return sum(losses) / len(losses)


def random_rows(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("samples", [2, 5])
@pytest.mark.parametrize("width", [1, 7])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_equals_the_loop(views: int, samples: int, width: int, temperature: float) -> None:
    z = random_rows(views, samples, width)
    expected = by_loop(z, z, list(range(samples)), temperature)
    assert NTXent(temperature=temperature)(coview.Views.of(z)).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("views", "teacher_views"), [(2, 2), (4, 2), (2, 3)])
def test_equals_the_loop_with_a_teacher_a_queue_and_equal_ids(views: int, teacher_views: int) -> None:
    student, teacher, queue = (
        random_rows(views, 5, 6),
        random_rows(teacher_views, 5, 6, seed=1),
        random_rows(9, 6, seed=2),
    )
    ids = [3, 8, 3, 3, 4]
    loss = NTXent(temperature=0.3)(coview.Views.of(student, teacher=teacher, ids=torch.tensor(ids), queue=queue))
    assert loss.item() == pytest.approx(by_loop(student, teacher, ids, 0.3, queue), abs=1e-10)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_equals_lightly_in_value_and_gradient(temperature: float) -> None:
    ours = random_rows(2, 16, 8, dtype=torch.float32).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    loss, expected = (
        NTXent(temperature=temperature)(coview.Views.of(ours)),
        NTXentLoss(temperature)(theirs[0], theirs[1]),
    )
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, ours)[0], torch.autograd.grad(expected, theirs)[0], atol=1e-6, rtol=1e-4
    )


@pytest.mark.parametrize(("views", "samples"), [(2, 2), (2, 9), (4, 5)])
def test_equal_rows_give_the_log_of_the_candidates(views: int, samples: int) -> None:
    z = torch.ones(views, samples, 3, dtype=torch.float64)
    assert NTXent(temperature=0.2)(coview.Views.of(z)).item() == pytest.approx(math.log(views * samples - 1))


def test_orthogonal_samples_with_equal_views() -> None:
    samples, temperature = 6, 0.5
    z = torch.eye(samples, dtype=torch.float64).expand(2, -1, -1)
    expected = math.log(math.exp(1 / temperature) + 2 * (samples - 1)) - 1 / temperature
    assert NTXent(temperature=temperature)(coview.Views.of(z)).item() == pytest.approx(expected)


@pytest.mark.parametrize("views", [2, 3])
def test_without_negatives_only_the_positives_remain(views: int) -> None:
    z = random_rows(views, 4, 3).requires_grad_()
    ids = torch.zeros(4, dtype=torch.int64)
    loss = NTXent()(coview.Views.of(z, ids=ids))
    assert loss.item() == pytest.approx(by_loop(z.detach(), z.detach(), [0] * 4, 0.5), abs=1e-12)
    assert loss.item() >= math.log(views - 1)
    assert torch.autograd.grad(loss, z)[0].isfinite().all()
    if views == 2:
        assert loss.item() == 0


@pytest.mark.parametrize("parts", [2, 4])
def test_shares_of_the_anchors_average_to_the_whole(parts: int) -> None:
    student = random_rows(3, 8, 5).requires_grad_()
    teacher = random_rows(3, 8, 5, seed=1).requires_grad_()
    queue = random_rows(4, 5, seed=2)
    ids = torch.tensor([0, 1, 2, 0, 4, 5, 1, 7])
    leaves = (student, teacher)

    def share(anchors: slice) -> torch.Tensor:
        return nt_xent(student, teacher, ids, 0.1, anchors=anchors, queue_QD=queue)

    whole = share(slice(0, 8))
    size = 8 // parts
    average = torch.stack([share(slice(p * size, (p + 1) * size)) for p in range(parts)]).mean()
    torch.testing.assert_close(average, whole, atol=1e-12, rtol=0)
    for got, expected in zip(torch.autograd.grad(average, leaves), torch.autograd.grad(whole, leaves), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-10, rtol=0)


@given(data=st.data(), views=st.integers(2, 4), samples=st.integers(2, 7), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_does_not_depend_on_order_or_length_of_rows(data: st.DataObject, views: int, samples: int, seed: int) -> None:
    z = random_rows(views, samples, 4, seed=seed)
    ids = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=samples, max_size=samples)))
    order = torch.tensor(data.draw(st.permutations(range(samples))))
    view_order = torch.tensor(data.draw(st.permutations(range(views))))
    lengths = 10 ** random_rows(views, samples, 1, seed=seed + 1)
    loss = nt_xent(z, z, ids, 0.2)
    assert loss >= 0
    torch.testing.assert_close(nt_xent(z[:, order], z[:, order], ids[order], 0.2), loss)
    torch.testing.assert_close(nt_xent(z[view_order], z[view_order], ids, 0.2), loss)
    torch.testing.assert_close(nt_xent(z * lengths, z * lengths, ids, 0.2), loss)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_at_a_low_temperature(dtype: torch.dtype) -> None:
    z = random_rows(2, 16, 8).to(dtype)
    reference = z.to(torch.float64)
    z.requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        loss = NTXent(temperature=0.01)(coview.Views.of(z))
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(NTXent(temperature=0.01)(coview.Views.of(reference)).item(), rel=1e-5)
    assert torch.autograd.grad(loss, z)[0].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rows_without_direction_are_finite_and_get_no_gradient(dtype: torch.dtype) -> None:
    z = random_rows(2, 6, 8).to(dtype)
    z[0, 2] = 0
    z[1, 4] = 0
    z.requires_grad_()
    loss = NTXent()(coview.Views.of(z))
    gradient = torch.autograd.grad(loss, z)[0]
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient[0, 2].abs().max() == 0
    assert gradient[0, 0].abs().max() > 0


def test_gradient_by_finite_differences() -> None:
    student, teacher = random_rows(2, 4, 3).requires_grad_(), random_rows(2, 4, 3, seed=1).requires_grad_()
    ids = torch.tensor([0, 1, 0, 3])
    assert torch.autograd.gradcheck(lambda s, t: nt_xent(s, t, ids, 0.3), (student, teacher))
    assert torch.autograd.gradcheck(lambda s: nt_xent(s, s, ids, 0.3, anchors=slice(1, 3)), (student,))


def test_double_precision_stays() -> None:
    assert NTXent()(coview.Views.of(random_rows(2, 4, 3))).dtype is torch.float64


def test_runs_on_the_meta_device() -> None:
    assert NTXent()(coview.Views.of(torch.empty(2, 4, 3, device="meta"))).shape == ()


def test_one_teacher_view_is_refused() -> None:
    z = random_rows(2, 4, 3)
    with pytest.raises(ValueError, match=r"at least 2 teacher views, got shape \(1, 4, 3\)"):
        NTXent()(coview.Views.of(z, teacher=z[:1]))
