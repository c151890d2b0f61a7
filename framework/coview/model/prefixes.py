"""A loss of the first dimensions alone, once for each of several widths (Matryoshka, arXiv:2205.13147)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from coview.model.views import Views


def over_prefixes(
    loss: Callable[[Views], Mapping[str, Tensor]], views: Views, widths: Sequence[int], *, whole_teacher: bool = False
) -> dict[str, Tensor]:
    """The sum of a loss over prefixes of the projections, and what it comes to for each: ``NAME/WIDTH``.

    Args:
        loss: Returns ``loss``, and what else it reports.
        views: With all dimensions.
        widths: How many of the dimensions, for each prefix.
        whole_teacher: Whether the target branch keeps all its dimensions, as one does that is a judge of its own.
    """
    of_widths = {width: loss(of_prefix(views, width, whole_teacher=whole_teacher)) for width in widths}
    terms = [outputs["loss"] for outputs in of_widths.values()]
    apart = {f"{name}/{width}": value.detach() for width, found in of_widths.items() for name, value in found.items()}
    return {"loss": sum(terms[1:], terms[0]), **apart}


def of_prefix(views: Views, width: int, *, whole_teacher: bool = False) -> Views:
    """The views with the first so many dimensions of their projections, of the target branch's, and of the queue's."""
    student = views.student[..., :width]
    # still the same object where there is no teacher: a loss can tell, and do half the work
    teacher = student if views.teacher is views.student else views.teacher[..., : None if whole_teacher else width]
    return replace(
        views, student=student, teacher=teacher, queue=None if views.queue is None else views.queue[..., :width]
    )
