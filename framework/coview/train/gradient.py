"""The gradient of one batch: in one piece, or in parts whose memory is that of one part (gradient cache).

The cache (Gao et al., arXiv:2101.06983, section 3.2) encodes all parts without keeping anything but the projections,
takes the loss and its gradient by them, then encodes each part again and sends its share of that gradient through.
Dropout is the same both times, as it is seeded by (seed, step, rank, part).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from coview.data.batch import Batch, some_samples
from coview.data.generators import seed_generators
from coview.model.buffers import buffers_kept
from coview.model.gather import average_outputs, rank_weight
from coview.model.topology import Taught, Topology
from coview.model.tower import Projected
from coview.model.views import Views
from coview.train.activations import blocks_of, checkpointed
from coview.train.layout import laid_out
from coview.train.part_size import part_that_fits
from coview.train.sharding import without_averaging

_HALF = (torch.float16, torch.bfloat16)
_OF_THE_TEACHER = 2**62
"""Makes of a step's seed one for what the teacher draws, such as dropout."""


@dataclass(frozen=True)
class Gradient:
    """What a batch's forward and backward pass came to.

    Attributes:
        outputs: Of the loss, without gradient: what the whole batch came to, the same on every rank.
        views: What the loss has seen.
        projections: This rank's ``z_VND``, without gradient.
    """

    outputs: Mapping[str, Tensor]
    views: Views
    projections: Tensor

    @property
    def present(self) -> Tensor | None:
        """``(V, N)`` bool, whether this rank's samples have the views' modalities; None where all have."""
        of_all = self.views.present_VN
        return None if of_all is None else of_all[:, self.views.anchors]


class GradientOfBatch:
    """Adds up gradients in the parameters of a topology.

    Args:
        topology: Student, teacher, queue, loss.
        student: The student as prepared for this device and these ranks.
        accelerator: For autocast, scaling and synchronisation.
        rows: Samples encoded at a time; absent: all.
        batch_size: Of this rank, which fixes the number of parts.
        seed: The run's.
        channels_last: Whether pictures are laid out so.
        compiled: Whether the student is: what is kept between two passes would compile it anew.
        checkpoints: Whether the blocks of its encoders keep only their inputs for the backward pass.
    """

    def __init__(
        self,
        topology: Topology,
        student: nn.Module,
        accelerator: Accelerator,
        *,
        rows: int | None,
        batch_size: int,
        seed: int,
        channels_last: bool,
        compiled: bool = False,
        checkpoints: bool = False,
    ) -> None:
        self._topology = topology
        self._student = student
        self._accelerator = accelerator
        self._batch_size = batch_size
        self._parts = 1 if rows is None else -(-batch_size // rows)
        self._seed = seed
        self._channels_last = channels_last
        self._compiled = compiled
        self._checkpointed = blocks_of(topology.student) if checkpoints else []

    def add(self, batch: Batch, step: int, part: int, share: float, progress: float, *, synchronise: bool) -> Gradient:
        """Adds ``share`` times the gradient of a batch.

        Args:
            batch: This rank's.
            step: Optimiser steps taken.
            part: Which batch of the step it is.
            share: Its share of the step.
            progress: Share of the training that is done.
            synchronise: Whether ranks average their gradients now: in the last batch of the step.
        """
        batch = laid_out(batch, channels_last=self._channels_last)
        seed = _mix(self._seed, step, self._accelerator.process_index, part)
        seed_generators(seed ^ _OF_THE_TEACHER, self._accelerator.device)
        taught = self._taught(batch, step)
        if self._parts == 1:
            with self._synchronised(synchronise):
                student = self._forward(batch, seed, 0)
                views, outputs = self._loss(student, taught, batch, progress)
                self._backward(outputs["loss"] * (rank_weight(views) * share))
            return Gradient(average_outputs(outputs, views), views, student.projections.detach())
        return self._cached(batch, seed, taught, share, progress, synchronise)

    def divide(self, batch: Batch, reserve: float) -> int:
        """From now on encodes as many samples at a time as the GPU has memory for, and returns how many.

        It tries on some samples of the batch what they need, with no trace but their memory.

        Args:
            batch: This rank's, with at least one sample.
            reserve: Bytes that are needed later, and not yet taken.
        """
        batch = laid_out(batch, channels_last=self._channels_last)
        device = self._accelerator.device
        samples = min(self._batch_size, len(batch))
        rows = self._batch_size * self._accelerator.num_processes * len(self._topology.student.of_view)
        found = part_that_fits(lambda count: self._try_out(batch, count), samples, rows, reserve, device)
        self._parts = -(-self._batch_size // found)
        return found

    def _try_out(self, batch: Batch, count: int) -> None:
        with buffers_kept(self._student), self._synchronised(False):
            made = self._forward(some_samples(batch, slice(0, count)), 0, 0)
            parts = (made.predictions, made.representations, made.hidden_KP)
            leaves = [part for part in parts if part is not None and part.requires_grad]
            if leaves:
                torch.autograd.backward(leaves, [torch.zeros_like(leaf) for leaf in leaves])
        for parameter in self._topology.student.parameters():
            parameter.grad = None

    def _cached(
        self, batch: Batch, seed: int, taught: Taught, share: float, progress: float, synchronise: bool
    ) -> Gradient:
        slices = self._slices(batch)
        parts = [some_samples(batch, rows) for rows in slices]
        frozen = () if self._compiled else self._topology.student.frozen_encoders()
        for tower in frozen:
            tower.keep_encodings()
        with torch.no_grad(), buffers_kept(self._student):
            encoded = [self._forward(part, seed, number) for number, part in enumerate(parts)]
        for tower in frozen:
            tower.take_encodings()
        made = _joined(encoded, self._topology.student.predicts)
        views, outputs = self._loss(made, taught, batch, progress, slices)
        self._backward(outputs["loss"] * (rank_weight(views) * share))
        for number, (part, gradients) in enumerate(zip(parts, _gradients(made, encoded), strict=True)):
            with self._synchronised(synchronise and number == len(parts) - 1):
                again = self._forward(part, seed, number)
                torch.autograd.backward([getattr(again, name) for name in gradients], list(gradients.values()))
        return Gradient(average_outputs(outputs, views), views, made.projections.detach())

    def _slices(self, batch: Batch) -> list[slice]:
        """The samples that are encoded together."""
        rows = torch.arange(len(batch)).tensor_split(self._parts)
        return [slice(int(part[0]), int(part[-1]) + 1) for part in rows if len(part)]

    def _forward(self, batch: Batch, seed: int, number: int) -> Projected:
        # dropout and the like draw from here: a function of the step and the part, whatever was drawn before
        seed_generators((seed + number) % 2**63, self._accelerator.device)
        masks = (batch.masks, batch.local_masks) if batch.masks or batch.local_masks else ()
        of_some = {"present": batch.present, "samples": len(batch)} if batch.present else {}
        with checkpointed(self._checkpointed):
            made = self._student(batch.inputs, batch.local_inputs, *masks, **of_some)
        z_VND, p_VND, pooled_VND, hidden_KP = (None if part is None else _full(part) for part in made)
        assert z_VND is not None, "a student projects"
        assert p_VND is not None, "a student predicts"
        return Projected(z_VND, p_VND if self._topology.student.predicts else z_VND, pooled_VND, hidden_KP)

    def _taught(self, batch: Batch, step: int) -> Taught:
        topology = self._topology
        if topology.teacher is None and topology.outside is None and topology.target is None:
            return Taught(None, None)
        with self._accelerator.autocast(), torch.no_grad():
            shuffles = topology.teacher is not None and topology.teacher.table.shuffle_groups > 1
            if self._parts == 1 or shuffles:
                return _full_taught(topology.taught(batch, step))
            parts = [topology.taught(some_samples(batch, rows), step) for rows in self._slices(batch)]
            projections, targets = zip(*parts, strict=True)
            return _full_taught(Taught(_cat(projections, 1), _cat(targets, 0)))

    def _loss(
        self,
        student: Projected,
        taught: Taught,
        batch: Batch,
        progress: float,
        parts: Sequence[slice] | None = None,
    ) -> tuple[Views, Mapping[str, Tensor]]:
        views = self._topology.views(student, taught, batch, progress, parts)
        return views, self._topology.loss(views)

    def _backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def _synchronised(self, wanted: bool) -> AbstractContextManager[Any]:
        return nullcontext() if wanted else without_averaging(self._accelerator, self._student)


def _joined(parts: Sequence[Projected], predicts: bool) -> Projected:
    """What the loss takes the gradient by: the parts' in one, cut off from what made them."""
    p_VND = torch.cat([part.predictions for part in parts], 1).requires_grad_()
    z_VND = torch.cat([part.projections for part in parts], 1) if predicts else p_VND
    pooled_VND, hidden_KP = _cat([part.representations for part in parts], 1), _cat([p.hidden_KP for p in parts], 0)
    for leaf in (pooled_VND, hidden_KP):
        if leaf is not None:
            leaf.requires_grad_()
    return Projected(z_VND, p_VND, pooled_VND, hidden_KP)


def _gradients(made: Projected, parts: Sequence[Projected]) -> list[dict[str, Tensor]]:
    """Of each part, the gradients by what was made of it, by the names of :class:`Projected`."""
    found: list[dict[str, Tensor]] = [{} for _ in parts]
    for name, dim in (("predictions", 1), ("representations", 1), ("hidden_KP", 0)):
        leaf: Tensor | None = getattr(made, name)
        if leaf is None or leaf.grad is None:
            continue
        sizes = [getattr(part, name).shape[dim] for part in parts]
        for of_part, gradient in zip(found, leaf.grad.split(sizes, dim), strict=True):
            of_part[name] = gradient
    assert all(found), "the loss does not depend on the student"
    return found


def _cat(parts: Sequence[Tensor | None], dim: int) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there, dim) if there else None


def _full_taught(taught: Taught) -> Taught:
    return Taught(*(None if part is None else _full(part) for part in taught))


def _full(z: Tensor) -> Tensor:
    return z.float() if z.dtype in _HALF else z


def _mix(*numbers: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
