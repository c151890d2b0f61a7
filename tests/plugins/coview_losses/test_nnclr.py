from __future__ import annotations

import math

import pytest
import torch
from enumerated import IDS, QUEUE_IDS, cosine, mean, random_rows

import coview
from coview_losses.info_nce import InfoNCE
from coview_losses.nnclr import NNCLR


def by_loop(views: coview.Views, temperature: float) -> float:
    student, teacher, ids = views.student.tolist(), views.teacher.tolist(), views.ids.tolist()
    losses = []
    for g in range(len(teacher)):
        for v in range(len(student)):
            if v == g:
                continue
            for i in range(len(ids)):
                queue = zip(views.queue.tolist(), views.queue_ids.tolist(), strict=True)
                others = [row for row, id_ in queue if id_ != ids[i]]
                nearest = max(others, key=lambda row: cosine(row, teacher[g][i]), default=teacher[g][i])
                positive = math.exp(cosine(nearest, student[v][i]) / temperature)
                negatives = [
                    math.exp(cosine(nearest, student[v][j]) / temperature) for j in range(len(ids)) if ids[j] != ids[i]
                ]
                losses.append(-math.log(positive / (positive + sum(negatives))))
    return mean(losses)


@pytest.mark.parametrize(("views", "teacher_views"), [(2, 2), (3, 2), (3, 3)])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize("queue_ids", [QUEUE_IDS, (3,) * 6, (8,) * 6])
def test_equals_the_loop(views: int, teacher_views: int, temperature: float, queue_ids: tuple[int, ...]) -> None:
    seen = coview.Views.of(
        random_rows(views, 5, 4),
        teacher=random_rows(teacher_views, 5, 4, seed=1),
        ids=torch.tensor(IDS),
        queue=random_rows(6, 4, seed=2),
        queue_ids=torch.tensor(queue_ids),
    )
    assert NNCLR(temperature=temperature)(seen).item() == pytest.approx(by_loop(seen, temperature), abs=1e-10)


def test_with_an_empty_queue_it_is_info_nce() -> None:
    student, teacher = random_rows(2, 5, 4), random_rows(2, 5, 4, seed=1)
    seen = coview.Views.of(student, teacher=teacher, queue=random_rows(0, 4))
    expected = InfoNCE(temperature=0.1)(coview.Views.of(teacher, teacher=student))  # the target's rows are the anchors
    torch.testing.assert_close(NNCLR()(seen), expected)


def test_the_queue_of_rows_equal_to_the_target_changes_nothing() -> None:
    student, teacher = random_rows(2, 5, 4), random_rows(2, 5, 4, seed=1)
    seen = coview.Views.of(student, teacher=teacher, queue=3 * teacher.flatten(0, 1))
    empty = coview.Views.of(student, teacher=teacher, queue=random_rows(0, 4))
    torch.testing.assert_close(NNCLR()(seen), NNCLR()(empty))


def test_a_queue_is_needed() -> None:
    with pytest.raises(ValueError, match="nnclr needs a queue"):
        NNCLR()(coview.Views.of(random_rows(2, 3, 4)))
