"""One batch from all ranks, with gradient: why a loss can be written for one device.

Every rank computes its loss on the gathered batch and weights it by the share of the rows that it owns
(:func:`rank_weight`); the backward pass of the gather adds up what the ranks send back, and data-parallel averaging
divides by their number. The gradient is then that of one process with the whole batch, for a loss that computes all
rows on every rank (the weights average to 1) as for one that takes the mean over its own rows.

What is as wide as a network's output is gathered only if a term of the loss, or the queue, sees it of all ranks
(:class:`Gathered`). A term that sees its own rows alone takes its sums over ranks by itself, with the same weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Gathered:
    """What of the views has to be there of all ranks. Ids, labels and what is as narrow always are.

    Attributes:
        student: The student's projections.
        teacher: The target branch's projections.
        representations: What the student's encoder makes.
        extras: The samples' extras, by name; None: all.
    """

    student: bool = True
    teacher: bool = True
    representations: bool = True
    extras: frozenset[str] | None = None


EVERYTHING = Gathered()


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
    gathered: Gathered = EVERYTHING,
) -> Views:
    """What the loss sees: of all ranks, and as its ``own`` of this rank.

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
        gathered: What has to be there of all ranks; projections that need not be have no columns.
    """
    samples = len(batch)
    has_NM = present_here(batch.present, samples, batch.ids.device) if batch.present else None
    student_VND = student.predictions
    # the same object where it is the same rows: a loss can tell, and do half the work
    own_GND = student_VND if global_views == len(student_VND) else student_VND[:global_views]
    rows_QD, ids_Q = queue or (None, None)
    own = Views(
        student=student_VND,
        teacher=own_GND if teacher_GND is None else teacher_GND,
        has_teacher=teacher_GND is not None,
        modalities=modalities,
        ids=batch.ids,
        anchors=slice(0, samples),
        queue=rows_QD,
        queue_ids=ids_Q,
        queue_labels=queue_labels,
        queue_views=queue_views,
        labels=batch.labels,
        representations=student.representations,
        tokens=tokens,
        extras=batch.extras,
        progress=progress,
        roles=roles,
        negative_ids=batch.negative_ids,
        ids_differ=batch.ids_differ,
    )
    if not several_ranks():
        return _with_present(own, has_NM, batch)
    rows = row_counts(samples, student_VND.device)
    first = sum(rows[: dist.get_rank()])
    extras = batch.extras if gathered.extras is None else {name: batch.extras[name] for name in gathered.extras}
    of_all = replace(
        _with_gathered_rows(own, rows, gathered),
        ids=gather_rows(batch.ids, rows),
        anchors=slice(first, first + samples),
        labels=None if batch.labels is None else gather_rows(batch.labels, rows),
        extras={name: gather_rows(of_sample, rows) for name, of_sample in sorted(extras.items())},
        negative_ids=None if batch.negative_ids is None else gather_rows(batch.negative_ids, rows),
    )
    of_all = _with_present(of_all, None if has_NM is None else gather_rows(has_NM, rows), batch)
    return replace(of_all, own=replace(_with_present(own, has_NM, batch), samples_of_all=sum(rows)))


def _with_gathered_rows(own: Views, rows: list[int], gathered: Gathered) -> Views:
    """The views of this rank with the rows of all ranks: no columns of projections that nothing sees of all ranks."""

    def of_all(rows_VND: Tensor, wanted: bool) -> Tensor:
        if wanted:
            return gather_rows(rows_VND.transpose(0, 1), rows).transpose(0, 1)
        return rows_VND.new_zeros(len(rows_VND), sum(rows), 0)

    student_VND = of_all(own.student, gathered.student)
    if own.has_teacher:
        teacher_GND = of_all(own.teacher, gathered.teacher)
    elif gathered.student or not gathered.teacher:
        teacher_GND = student_VND if own.teacher is own.student else student_VND[: len(own.teacher)]
    else:
        teacher_GND = of_all(own.teacher.detach(), True)
    pooled_VND = own.representations
    if pooled_VND is not None:
        pooled_VND = of_all(pooled_VND, gathered.representations)
    return replace(own, student=student_VND, teacher=teacher_GND, representations=pooled_VND)


def _with_present(views: Views, has_NM: Tensor | None, batch: Batch) -> Views:
    """The views with what their samples lack, of which hard negatives are none either."""
    if has_NM is None:
        return views
    present_VN = present_in_views(has_NM, tuple(batch.present), views.modalities)
    negative_ids_N = views.negative_ids
    if negative_ids_N is not None:
        negative_ids_N = negative_ids_N.where(present_VN[views.roles.index(NEGATIVE)], NO_NEGATIVE)
    return replace(views, present_VN=present_VN, negative_ids=negative_ids_N)


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
    reduced = [parameter for parameter, ranks in zip(trained, ranks_with.tolist(), strict=True) if ranks]
    for alike in _by_type(reduced):  # one exchange for all of them: each costs more than what it carries
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in alike]
        sums = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(sums)
        means = (sums / dist.get_world_size()).split([gradient.numel() for gradient in gradients])
        for parameter, gradient, mean in zip(alike, gradients, means, strict=True):
            parameter.grad = mean.view_as(gradient)


def _by_type(parameters: Iterable[nn.Parameter]) -> Iterable[list[nn.Parameter]]:
    """Those together that one tensor can hold."""
    found: dict[tuple[torch.device, torch.dtype], list[nn.Parameter]] = {}
    for parameter in parameters:
        found.setdefault((parameter.device, parameter.dtype), []).append(parameter)
    return found.values()
