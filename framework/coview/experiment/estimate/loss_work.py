"""The arithmetic and the memory of a loss, which sees the rows of all cards or those of its own, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from coview.experiment.estimate.between_cards import width_of_encoder
from coview.experiment.estimate.extrapolate import number_at, work_at
from coview.experiment.estimate.one_step import FEW
from coview.experiment.estimate.work import Operation, Recorder, Work
from coview.model.gather import EVERYTHING, Gathered
from coview.model.loss_terms import LossTerms
from coview.model.topology import Topology
from coview.model.views import Views
from coview.recipe.recipe import Recipe

_SIZES = (32, 64, 128)
"""Samples of the batches that show how a loss grows: with the pairs of samples, at most."""

_MOST_NUMBERS = 2**24
"""Projections of a batch that is still computed as it is, on the CPU."""


@dataclass(frozen=True)
class OfLoss:
    """What a loss costs each process.

    Attributes:
        work: Forward and backward.
        most: Bytes at the most, with the gathered rows.
        how: How that is known, in a few words.
    """

    work: Work
    most: float
    how: str


def work_of_loss(recipe: Recipe, topology: Topology, loss: LossTerms, samples: int, own: int) -> OfLoss:
    """What the loss costs.

    Args:
        recipe: The recipe.
        topology: Whose projections it sees; on any device.
        loss: The loss, on the CPU.
        samples: Of all processes.
        own: Of one process.
    """
    width, encoder_width = topology.student.width, width_of_encoder(topology)
    teacher_width = width if topology.outside is None else topology.outside.width
    widths = width, encoder_width, teacher_width

    def taken(size: int, anchors: int) -> tuple[list[Operation], set[str], int]:
        return _take(loss, _views(recipe, topology, size, anchors, widths))

    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            operations, uncounted, most = taken(samples, own)
        return OfLoss(Work.of(operations, uncounted), most, "by shapes")
    except Exception:  # whatever a loss raises that asks for numbers
        pass
    if samples * len(recipe.view_modalities) * (width + encoder_width) <= _MOST_NUMBERS:
        operations, uncounted, most = taken(samples, own)
        return OfLoss(Work.of(operations, uncounted), most, "of random projections")
    found = [taken(size, max(FEW[0], size * own // samples)) for size in _SIZES]
    work = work_at(samples, _SIZES, [operations for operations, _, _ in found])
    work.uncounted |= found[-1][1]
    return OfLoss(
        work,
        number_at(samples, _SIZES, [most for _, _, most in found]),
        f"of {', '.join(map(str, _SIZES))} random projections",
    )


def _take(loss: LossTerms, views: Views) -> tuple[list[Operation], set[str], int]:
    recorder = Recorder()
    recorder.know([*loss.parameters(), *loss.buffers()])
    loss.zero_grad(set_to_none=True)
    with recorder:
        loss(views)["loss"].backward()
    return recorder.operations, recorder.uncounted, recorder.peak + _bytes_of(views)


def _bytes_of(views: Views) -> int:
    """Of the rows that the loss sees, those of this process alone included; the queue is the same in both."""
    rows = [views.student, *([views.teacher] if views.has_teacher else []), views.representations]
    of_own = 0 if views.own is None else _bytes_of(replace(views.own, queue=None))
    return of_own + sum(tensor.nbytes for tensor in (*rows, views.queue) if tensor is not None)


def _views(recipe: Recipe, topology: Topology, size: int, own: int, widths: tuple[int, int, int]) -> Views:
    """What one of several processes sees; where there is one, its samples are all."""
    if own == size:
        return _random_views(recipe, topology, size, widths, EVERYTHING)
    gathered = topology.loss.gathered(queue=recipe.queue is not None)
    views = _random_views(recipe, topology, size, widths, gathered)
    alone = _random_views(recipe, topology, own, widths, EVERYTHING)
    return replace(views, anchors=slice(0, own), own=alone)


def _random_views(
    recipe: Recipe, topology: Topology, samples: int, widths: tuple[int, int, int], gathered: Gathered
) -> Views:
    """Random projections of so many samples; without columns where nothing gathers them."""
    generator = torch.Generator().manual_seed(recipe.seed)
    width, encoder_width, teacher_width = widths
    V, G = len(recipe.view_modalities), recipe.global_views
    queue = None if recipe.queue is None else recipe.queue.size
    needs = [term.needs for term in recipe.loss if term.needs is not None]

    def rows(views: int, columns: int, *, wanted: bool) -> torch.Tensor:
        return torch.randn(views, samples, columns if wanted else 0, generator=generator)

    teacher = rows(G, teacher_width, wanted=gathered.teacher) if recipe.teacher is not None else None
    gives = topology.student.gives_representations
    pooled = rows(V, encoder_width, wanted=gathered.representations).requires_grad_() if gives else None
    return Views.of(
        rows(V, width, wanted=gathered.student).requires_grad_(),
        teacher=teacher,
        global_views=G,
        modalities=recipe.view_modalities,
        roles=recipe.roles,
        labels=torch.arange(samples) // 2 if any(need.labels for need in needs) else None,
        representations=pooled,
        queue=None if queue is None else torch.randn(queue, width, generator=generator),
        queue_labels=None if queue is None else torch.zeros(queue, dtype=torch.int64),
        queue_views=None if queue is None else torch.zeros(queue, dtype=torch.int64),
        extras={name: torch.rand(samples, generator=generator) for need in needs for name in need.extras},
    )
