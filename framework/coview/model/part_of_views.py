"""The part of a batch's views that a term of the loss is of: those of some modalities, and some of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from coview.model.views import Views


def of_modalities(views: Views, modalities: Sequence[str]) -> Views:
    """The views of some modalities, in their order, with the rows of the queue that are of one of them.

    The views are numbered anew, from 0 on, and so are the rows of the queue. Where it is not known which view these are
    of, they stay.

    Args:
        views: Of all modalities.
        modalities: Those whose views stay.
    """
    chosen = [view for view, name in enumerate(views.modalities) if name in modalities]
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
    processes keep, and it counts nothing.

    Args:
        views: Of all samples.
    """
    if views.present_VN is None:
        return views, 1.0
    kept_N = views.present_VN.all(0)
    anchors = views.anchors
    before, own, total = torch.stack([kept_N[: anchors.start].sum(), kept_N[anchors].sum(), kept_N.sum()]).tolist()
    student = views.student[:, kept_N]
    part = replace(
        views,
        student=student,
        teacher=student if views.teacher is views.student else views.teacher[:, kept_N],
        ids=views.ids[kept_N],
        anchors=slice(before, before + own) if own else slice(0, total),
        labels=_some(views.labels, kept_N),
        representations=None if views.representations is None else views.representations[:, kept_N],
        extras={name: of_sample[kept_N] for name, of_sample in views.extras.items()},
        present_VN=None,
    )
    if not total:
        return part, 0.0
    return part, own * len(kept_N) / (total * (anchors.stop - anchors.start))


def _some(of_row: Tensor | None, kept: Tensor) -> Tensor | None:
    return None if of_row is None else of_row[kept]
