"""One batch from all ranks, with gradient: why a loss can be written for one device.

Every rank computes its loss on the gathered batch and weights it by the share of the rows that it owns
(:func:`rank_weight`); the backward pass of the gather adds up what the ranks send back, and data-parallel averaging
divides by their number. The gradient is then that of one process with the whole batch, for a loss that computes all
rows on every rank (the weights average to 1) as for one that takes the mean over its own rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from coview.data.batch import NO_NEGATIVE, Batch
from coview.model.collectives import gather_rows, row_counts, several_ranks
from coview.model.hidden_tokens import HiddenTokens
from coview.model.lacking_rows import present_here, present_in_views
from coview.model.tower import Projected
from coview.model.views import Views
from coview.recipe.needs import NEGATIVE


def views_of_all_ranks(
    student: Projected,
    batch: Batch,
    modalities: tuple[str, ...],
    *,
    global_views: int,
    teacher_GND: Tensor | None = None,
    queue: tuple[Tensor, Tensor] | None = None,
    queue_labels: Tensor | None = None,
    queue_views: Tensor | None = None,
    tokens: HiddenTokens | None = None,
    progress: float = 0.0,
    roles: tuple[str, ...] = (),
) -> Views:
    """What the loss sees.

    Args:
        student: This rank's, with gradient.
        batch: This rank's batch. Ranks may own different numbers of rows: a sample can be unreadable.
        modalities: Of each view.
        global_views: How many of the V views are global.
        teacher_GND: This rank's target branch; absent: the student's global views.
        queue: Rows and ids, the same on all ranks.
        queue_labels: Of the queue's rows, where they are kept.
        queue_views: The number of the teacher's view that each of the queue's rows is of.
        tokens: This rank's, which stay here.
        progress: Share of the training that is done.
        roles: The name of each view, where they have some.
    """
    own = len(batch)
    student_VND, pooled_VND = student.predictions, student.representations
    has_NM = present_here(batch.present, own, batch.ids.device) if batch.present else None
    anchors, ids_N, labels_N, extras = slice(0, own), batch.ids, batch.labels, batch.extras
    negative_ids_N = batch.negative_ids
    if several_ranks():
        rows = row_counts(own, student_VND.device)
        first = sum(rows[: dist.get_rank()])
        anchors = slice(first, first + own)
        student_VND = gather_rows(student_VND.transpose(0, 1), rows).transpose(0, 1)
        if pooled_VND is not None:
            pooled_VND = gather_rows(pooled_VND.transpose(0, 1), rows).transpose(0, 1)
        if teacher_GND is not None:
            teacher_GND = gather_rows(teacher_GND.transpose(0, 1), rows).transpose(0, 1)
        ids_N = gather_rows(ids_N, rows)
        has_NM = None if has_NM is None else gather_rows(has_NM, rows)
        labels_N = None if labels_N is None else gather_rows(labels_N, rows)
        extras = {name: gather_rows(of_sample, rows) for name, of_sample in extras.items()}
        negative_ids_N = None if negative_ids_N is None else gather_rows(negative_ids_N, rows)
    present_VN = None if has_NM is None else present_in_views(has_NM, tuple(batch.present), modalities)
    if negative_ids_N is not None and present_VN is not None:
        negative_ids_N = negative_ids_N.where(present_VN[roles.index(NEGATIVE)], NO_NEGATIVE)
    rows_QD, ids_Q = queue or (None, None)
    # the same object where it is the same rows: a loss can tell, and do half the work
    own_GND = student_VND if global_views == len(student_VND) else student_VND[:global_views]
    return Views(
        student=student_VND,
        teacher=own_GND if teacher_GND is None else teacher_GND,
        has_teacher=teacher_GND is not None,
        modalities=modalities,
        ids=ids_N,
        anchors=anchors,
        queue=rows_QD,
        queue_ids=ids_Q,
        queue_labels=queue_labels,
        queue_views=queue_views,
        labels=labels_N,
        representations=pooled_VND,
        tokens=tokens,
        extras=extras,
        progress=progress,
        roles=roles,
        present_VN=present_VN,
        negative_ids=negative_ids_N,
    )


def rank_weight(views: Views) -> float:
    """What a rank's loss has to be multiplied by, so that the average over ranks is the mean over all rows."""
    if not several_ranks():
        return 1.0
    own = views.anchors.stop - views.anchors.start
    return float(own * dist.get_world_size() / len(views.ids))


def average_outputs(outputs: Mapping[str, Tensor], views: Views) -> dict[str, Tensor]:
    """A loss's outputs without gradient, of which each rank has its share, for the whole batch."""
    found = {name: value.detach() for name, value in outputs.items()}
    if not several_ranks():
        return found
    summed = torch.stack([value.float() for value in found.values()]) * rank_weight(views)
    dist.all_reduce(summed)
    return dict(zip(found, summed / dist.get_world_size(), strict=True))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Averages over ranks the gradients of parameters that data-parallel training does not know: the loss's own.

    A parameter that has no gradient on any rank keeps none: of a gradient of zeros an optimiser would make a step of
    weight decay and of momentum.
    """
    if not several_ranks():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        return
    ranks_with = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.int64)
    ranks_with = ranks_with.to(trained[0].device)
    dist.all_reduce(ranks_with)
    for parameter, ranks in zip(trained, ranks_with.tolist(), strict=True):
        if ranks:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            dist.all_reduce(gradient)
            parameter.grad = gradient / dist.get_world_size()
