"""Anchors, positives and negatives by plain loops over Python numbers: what the losses' tests compute from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

import coview

Row = Sequence[float]
IDS = (3, 8, 3, 5, 4)
QUEUE_IDS = (8, 100, 3, 101, 102, 4)


@dataclass
class Anchor:
    """One view of one sample, with its similarity to each positive (by teacher view) and to each negative."""

    view: int
    sample: int
    positives: dict[int, float]
    negatives: list[float]
    row: Row


def dot(a: Row, b: Row) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: Row, b: Row) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def euclidean(a: Row, b: Row) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def every_anchor(views: coview.Views, similarity: Callable[[Row, Row], float] = cosine) -> Iterator[Anchor]:
    """Anchors are the student's rows, all else is the teacher's and the queue's."""
    student, teacher, ids = views.student.tolist(), views.teacher.tolist(), views.ids.tolist()
    for v, rows in enumerate(student):
        for i, row in enumerate(rows):
            positives = {g: similarity(row, teacher[g][i]) for g in range(len(teacher)) if g != v}
            negatives = [
                similarity(row, teacher[g][j]) for g in range(len(teacher)) for j in range(len(ids)) if ids[j] != ids[i]
            ]
            if views.queue is not None:
                assert views.queue_ids is not None
                pairs = zip(views.queue.tolist(), views.queue_ids.tolist(), strict=True)
                negatives += [similarity(row, other) for other, queue_id in pairs if queue_id != ids[i]]
            yield Anchor(v, i, positives, negatives, row)


def mean(values: Sequence[float] | Iterator[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def random_rows(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def scenes(*, queue: bool = True, labels: bool = False) -> dict[str, coview.Views]:
    """What the losses are compared with the loops on: equal ids everywhere, but in the first."""
    classes = torch.tensor([0, 1, 0, 1, 2]) if labels else None
    ids, queue_ids = torch.tensor(IDS), torch.tensor(QUEUE_IDS)
    student, teacher = random_rows(3, 5, 4), random_rows(3, 5, 4, seed=1)
    found = {
        "two views": coview.Views.of(student[:2], labels=classes),
        "equal ids": coview.Views.of(student[:2], ids=ids, labels=classes),
        "three views": coview.Views.of(student, ids=ids, labels=classes),
        "a teacher": coview.Views.of(student[:2], teacher=teacher[:2], ids=ids, labels=classes),
        "local views": coview.Views.of(student, teacher=teacher[:2], ids=ids, labels=classes),
    }
    if queue:
        found["a queue"] = coview.Views.of(
            student[:2], teacher=teacher[:2], ids=ids, queue=random_rows(6, 4, seed=2), queue_ids=queue_ids
        )
    return found


def equal_rows(views: int = 2, samples: int = 6) -> coview.Views:
    return coview.Views.of(torch.ones(views, samples, 3, dtype=torch.float64))


def orthogonal_rows(samples: int = 6) -> coview.Views:
    """Both views of a sample are equal, different samples orthogonal."""
    return coview.Views.of(torch.eye(samples, dtype=torch.float64).repeat(2, 1, 1))


def value_and_gradient(loss: torch.Tensor, leaf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]
