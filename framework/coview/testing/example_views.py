"""Views that fit what a loss says it needs."""

from __future__ import annotations

from typing import Any, Literal

import torch

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
    """Random views, with gradient for the student.

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
    queue_rows = {"none": None, "empty": 0, "full": QUEUE_ROWS}[queue]
    return Views.of(
        student_VND,
        teacher=rows(views, samples) if teacher else None,
        global_views=views,
        ids=torch.tensor(ids) if ids is not None else torch.arange(samples) * 3 + 5,
        labels=torch.arange(samples) % 3 if needs.labels else None,
        queue=None if queue_rows is None else rows(queue_rows),
        progress=0.5,
    )


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
