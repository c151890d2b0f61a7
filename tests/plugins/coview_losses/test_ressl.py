"""ReSSL against the authors' line, written down once more in fp64, and against loops."""

from __future__ import annotations

import math

import pytest
import torch
from enumerated import cosine, mean, random_rows

import coview
from coview_losses.ressl import ReSSL


def loop(student, teacher, rows, ids, row_ids, pairs, ts=0.1, tt=0.04) -> float:
    losses = []
    for v, g in pairs:
        for n, own in enumerate(ids):
            others = [row for row, row_id in zip(rows[g], row_ids, strict=True) if row_id != own]
            p = [math.exp(cosine(teacher[g][n], row) / tt) for row in others]
            q = [math.exp(cosine(student[v][n], row) / ts) for row in others]
            losses.append(-sum(a / sum(p) * math.log(b / sum(q)) for a, b in zip(p, q, strict=True)) if others else 0.0)
    return mean(losses)


def test_is_the_authors_line_in_value_and_gradient() -> None:
    student, teacher, queue = (
        random_rows(2, 7, 5).requires_grad_(),
        random_rows(2, 7, 5, seed=1),
        random_rows(12, 5, seed=2),
    )
    q, k, u = (
        student[0] / student[0].norm(dim=1, keepdim=True),
        *(torch.nn.functional.normalize(rows, dim=1) for rows in (teacher[1], queue)),
    )
    logits_q, logits_k = torch.einsum("nc,kc->nk", q, u), torch.einsum("nc,kc->nk", k, u)
    expected = -torch.sum(torch.softmax(logits_k / 0.04, 1) * torch.log_softmax(logits_q / 0.1, 1), 1).mean()
    found = ReSSL()(coview.Views.of(student, teacher=teacher, queue=queue))
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    for mine, theirs in zip(torch.autograd.grad(found, student), torch.autograd.grad(expected, student), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
def test_by_a_loop_without_the_queues_rows_of_the_anchors_own_sample(symmetric: bool) -> None:
    student, teacher, queue = random_rows(3, 5, 4), random_rows(2, 5, 4, seed=1), random_rows(6, 4, seed=2)
    ids, queue_ids = [3, 8, 3, 5, 4], [8, 100, 3, 101, 102, 4]
    views = coview.Views.of(
        student, teacher=teacher, ids=torch.tensor(ids), queue=queue, queue_ids=torch.tensor(queue_ids)
    )
    pairs = [(0, 1), (1, 0), (2, 0), (2, 1)] if symmetric else [(0, 1)]
    rows = [queue.tolist()] * 2
    expected = loop(student.tolist(), teacher.tolist(), rows, ids, queue_ids, pairs, 0.2, 0.05)
    found = ReSSL(student_temperature=0.2, teacher_temperature=0.05, symmetric=symmetric)(views)
    assert found.item() == pytest.approx(expected, rel=1e-10)


def test_while_the_queue_is_empty_relations_are_to_the_other_samples() -> None:
    student, teacher = random_rows(2, 5, 4), random_rows(2, 5, 4, seed=1)
    ids = [3, 8, 3, 5, 4]
    views = coview.Views.of(student, teacher=teacher, ids=torch.tensor(ids), queue=torch.empty(0, 4).double())
    expected = loop(student.tolist(), teacher.tolist(), teacher.tolist(), ids, ids, [(0, 1)])
    assert ReSSL()(views).item() == pytest.approx(expected, rel=1e-10)


def test_an_anchor_without_relations_counts_nothing() -> None:
    student, teacher, queue = random_rows(2, 3, 4), random_rows(2, 3, 4, seed=1), random_rows(2, 4, seed=2)
    views = coview.Views.of(
        student, teacher=teacher, ids=torch.tensor([1, 1, 2]), queue=queue, queue_ids=torch.tensor([1, 1])
    )
    expected = loop(student.tolist(), teacher.tolist(), [queue.tolist()] * 2, [1, 1, 2], [1, 1], [(0, 1)])
    assert ReSSL()(views).item() == pytest.approx(expected, rel=1e-10)


def test_without_a_queue_it_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a queue"):
        ReSSL()(coview.Views.of(random_rows(2, 3, 4), teacher=random_rows(2, 3, 4)))
