"""The part of a batch's views that a term of the loss is of: those of some modalities, and some of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from coview.data.batch import NO_NEGATIVE
from coview.model.views import Views
from coview.recipe.needs import NEGATIVE


def of_modalities(views: Views, modalities: Sequence[str]) -> Views:
    """The views of some modalities, in their order, with the rows of the queue that are of one of them.

    The views are numbered anew, from 0 on, and so are the rows of the queue. Where it is not known which view these are
    of, they stay.

    Args:
        views: Of all modalities.
        modalities: Those whose views stay.
    """
    return _of_views(views, [view for view, name in enumerate(views.modalities) if name in modalities])


def with_negatives_in_queue(views: Views) -> Views:
    """The view of hard negatives is none of the views any more, and its rows are rows of the queue, behind the others.

    Args:
        views: With a view that is called "negative", or without.
    """
    if NEGATIVE not in views.roles or views.negative_ids is None:
        return views
    place = views.roles.index(NEGATIVE)
    rest = _of_views(views, [view for view in range(len(views.modalities)) if view != place])
    has_N = views.negative_ids != NO_NEGATIVE
    ids_H = views.negative_ids[has_N]
    of_modality = [view for view, name in enumerate(rest.modalities) if name == views.modalities[place]]
    rows: dict[str, Any] = {
        "queue": views.teacher[place][has_N],
        "queue_ids": ids_H,
        "queue_views": torch.full_like(ids_H, of_modality[0] if of_modality else -1),
        "queue_labels": torch.full_like(ids_H, -1),
    }
    if rest.queue is not None:
        rows = {name: torch.cat([of, rows[name]]) for name in rows if (of := getattr(rest, name)) is not None}
    return replace(rest, negative_ids=None, **rows)


def with_negatives_as_view(views: Views) -> Views:
    """The same, where a sample without a hard negative counts as lacking the view of hard negatives."""
    if NEGATIVE not in views.roles or views.negative_ids is None:
        return views
    has_N = views.negative_ids != NO_NEGATIVE
    if views.samples_of_all is None and has_N.all():  # of its own samples a process cannot know whether others lack any
        return views
    present_VN = torch.ones(views.student.shape[:2], dtype=torch.bool, device=has_N.device)
    if views.present_VN is not None:
        present_VN = views.present_VN.clone()
    present_VN[views.roles.index(NEGATIVE)] &= has_N
    return replace(views, present_VN=present_VN)


def _of_views(views: Views, chosen: Sequence[int]) -> Views:
    """Some of the views, numbered anew, with the rows of the queue that are of one of them."""
    if len(chosen) == len(views.modalities):
        return views
    of_teacher = [view for view in chosen if view < len(views.teacher)]
    student = views.student[chosen]
    # the same object where it is the same rows: a loss can tell, and do half the work
    is_student = views.teacher is views.student
    part = replace(
        views,
        student=student,
        teacher=student if is_student else views.teacher[of_teacher],
        modalities=tuple(views.modalities[view] for view in chosen),
        roles=tuple(views.roles[view] for view in chosen) if views.roles else (),
        representations=None if views.representations is None else views.representations[chosen],
        present_VN=None if views.present_VN is None else views.present_VN[chosen],
    )
    if views.queue is None or views.queue_views is None:
        return part
    number_of = torch.full((len(views.teacher),), -1, device=views.queue_views.device)
    number_of[of_teacher] = torch.arange(len(of_teacher), device=number_of.device)
    numbers_Q = number_of[views.queue_views]
    kept_Q = numbers_Q >= 0
    return replace(
        part,
        queue=views.queue[kept_Q],
        queue_ids=_some(views.queue_ids, kept_Q),
        queue_labels=_some(views.queue_labels, kept_Q),
        queue_views=numbers_Q[kept_Q],
    )


def of_whole_samples(views: Views) -> tuple[Views, float]:
    """The samples that have all modalities of the views, and what the loss of them counts on this process.

    That is the share of them that it owns, over the share of all samples that it owns: coview multiplies by the latter.
    A process that owns none of them owns all in what comes out, so that its loss is a number and keeps what other
    processes keep, and it counts nothing. Of views of its own samples alone, it has none.

    Args:
        views: Of all samples, or of this process's alone.
    """
    if views.present_VN is None:
        return views, 1.0
    kept_N = views.present_VN.all(0)
    anchors = views.anchors
    kept = torch.stack([kept_N[: anchors.start].sum(), kept_N[anchors].sum(), views.sum(kept_N.long())])
    before, own, total = kept.tolist()
    of_all = views.samples_of_all is None
    student = views.student[:, kept_N]
    part = replace(
        views,
        student=student,
        teacher=student if views.teacher is views.student else views.teacher[:, kept_N],
        ids=views.ids[kept_N],
        anchors=slice(before, before + own) if own or not of_all else slice(0, total),
        labels=_some(views.labels, kept_N),
        representations=None if views.representations is None else views.representations[:, kept_N],
        extras={name: of_sample[kept_N] for name, of_sample in views.extras.items()},
        present_VN=None,
        negative_ids=_some(views.negative_ids, kept_N),
        samples_of_all=None if of_all else total,
    )
    if not own:
        return part, 0.0
    return part, own * views.count / (total * (anchors.stop - anchors.start))


def _some(of_row: Tensor | None, kept: Tensor) -> Tensor | None:
    return None if of_row is None else of_row[kept]
