"""Views that fit what a loss says it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from coview.model.hidden_tokens import HiddenTokens
from coview.model.views import Views
from coview.recipe.needs import Needs

QUEUE_ROWS = 7
WIDTH = 8


def example_views(
    needs: Needs,
    *,
    samples: int = 7,
    width: int = WIDTH,
    views: int | None = None,
    local_views: int = 0,
    teacher: bool | None = None,
    queue: Literal["none", "empty", "full"] | None = None,
    ids: tuple[int, ...] | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Views:
    """Random views, with gradient for the student, and whole numbers from 0 to 4 as extras.

    Args:
        needs: What the loss declares.
        samples: N.
        width: D.
        views: Views that both branches see; the fewest that the loss needs by default.
        local_views: Further views that the student alone sees.
        teacher: Whether there is a target branch; by default if the loss needs one.
        queue: Whether there is one, and whether it has rows; by default a full one if the loss needs it.
        ids: Of each sample; all different by default. The queue's rows are of no sample of the batch.
        dtype: Of the rows.
        seed: Of the random numbers.
    """
    views = needs.views if views is None else views
    teacher = needs.teacher if teacher is None else teacher
    queue = ("full" if needs.queue == "required" else "none") if queue is None else queue
    generator = torch.Generator().manual_seed(seed)

    def rows(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, width, generator=generator, dtype=torch.float64).to(dtype)

    student_VND = rows(views + local_views, samples).requires_grad_()
    ids_N = torch.tensor(ids) if ids is not None else torch.arange(samples) * 3 + 5
    queue_rows = {"none": None, "empty": 0, "full": QUEUE_ROWS}[queue]
    return Views.of(
        student_VND,
        teacher=rows(views, samples) if teacher else None,
        global_views=views,
        ids=ids_N,
        labels=torch.arange(samples) % 3 if needs.labels else None,
        queue=None if queue_rows is None else rows(queue_rows),
        queue_labels=None if queue_rows is None or not needs.labels else torch.arange(queue_rows) % 3,
        queue_views=None if queue_rows is None else torch.arange(queue_rows) % views,
        representations=student_VND if needs.representations else None,
        tokens=None if needs.tokens == "unused" else example_tokens(student_VND, ids_N, needs.tokens == "classes"),
        extras={name: (torch.arange(samples) * (2 + at) + 1) % 5 for at, name in enumerate(needs.extras)},
        progress=0.5,
        roles=needs.roles + ("",) * (len(student_VND) - len(needs.roles)) if needs.roles else (),
    )


def with_student(views: Views, student_VND: Tensor, ids_N: Tensor | None = None) -> Views:
    """Example views with other rows of the student, of which all is made that the loss takes a gradient by.

    They are the target branch where there is no teacher.

    Args:
        views: The views.
        student_VND: The rows.
        ids_N: Of the samples; those of the views by default.
    """
    ids_N = views.ids if ids_N is None else ids_N
    if not views.has_teacher:
        whole = len(views.teacher) == len(student_VND)
        views = replace(views, teacher=student_VND if whole else student_VND[: len(views.teacher)])
    tokens = views.tokens and example_tokens(student_VND, ids_N, views.tokens.targets.ndim == 1)
    representations = None if views.representations is None else student_VND
    return replace(
        views,
        student=student_VND,
        ids=ids_N,
        ids_differ=len(set(ids_N.tolist())) == len(ids_N),
        representations=representations,
        tokens=tokens,
    )


def example_tokens(student_VND: Tensor, ids_N: Tensor, classes: bool) -> HiddenTokens:
    """Hidden tokens whose predictions are the student's rows: one of some views, two of others, none of every fourth.

    Args:
        student_VND: The rows.
        ids_N: Of the samples, of which the targets are a function.
        classes: Whether the targets are classes, and not numbers.
    """
    views, samples, width = student_VND.shape
    every_R = torch.arange(views * samples)
    number_R = ids_N.repeat(views) + 11 * (every_R // samples)
    rows_K = torch.cat([every_R[number_R % 4 != 3], every_R[number_R % 3 == 1]]).sort().values
    number_K = number_R[rows_K]
    targets = number_K % width
    if not classes:
        place_D = torch.arange(width)
        targets = torch.sin(number_K[:, None] * (place_D + 1.0)).to(student_VND.dtype)
    return HiddenTokens(student_VND.flatten(0, 1)[rows_K], targets, rows_K, views * samples)


def example_cases(needs: Needs) -> dict[str, dict[str, Any]]:
    """The situations that a loss with these needs can be in: names to arguments of :func:`example_views`."""
    cases: dict[str, dict[str, Any]] = {"with a teacher": {"teacher": True}}
    if not needs.teacher:
        cases = {"without a teacher": {"teacher": False}} | cases
    if needs.queue != "unused":
        cases |= {
            "with a queue": {"teacher": True, "queue": "full"},
            "with an empty queue": {"teacher": True, "queue": "empty"},
        }
    if needs.most_views is None or needs.most_views > needs.views:
        cases["with one view more"] = {"views": needs.views + 1}
    if needs.local_views:
        cases["with local views"] = {"local_views": 2}
    return cases
